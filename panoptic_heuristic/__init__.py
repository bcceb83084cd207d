"""Merge a semantic head and an instance head into one panoptic map.

Importing this package loads nothing heavy: take what you need from ``formats`` (files and
ids), ``fusion`` (the merging rules), ``quality`` (PQ) or ``detectron`` (the Detectron2 side).
"""

__version__ = "0.2.0"
