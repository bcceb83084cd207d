"""One report on finished sweeps: Markdown, CSV, figures and a page."""
