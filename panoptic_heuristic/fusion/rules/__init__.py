"""The rules of fusing, one per file: ``<stage>_<name>.py``."""
