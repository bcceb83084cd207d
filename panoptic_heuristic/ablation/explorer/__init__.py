"""One self-contained HTML page on which people move thresholds and watch segments come and go."""
