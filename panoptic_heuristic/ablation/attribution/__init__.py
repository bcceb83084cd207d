"""Which rule lost which segment, and what mending each cause would bring."""
