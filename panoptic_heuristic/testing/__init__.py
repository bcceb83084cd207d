"""Seeded scenes and the built-in data set, shared by tests, benchmarks and the demo."""
