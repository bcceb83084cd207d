"""Comparing pipelines of different rules on the same predictions, by published and by tuned thresholds."""
