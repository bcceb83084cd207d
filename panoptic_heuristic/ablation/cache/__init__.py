"""Predictions of two heads, kept on disk."""
