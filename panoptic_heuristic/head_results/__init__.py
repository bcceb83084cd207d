"""Result files of any two heads: read, fused into COCO panoptic files, and kept as a prediction cache.

    heads = read_heads(images="val.json", instances="instances.json", semantics="semantics.json", no_labels=[0])
    fuse_heads(heads, Pipeline.preset("rap"), "fused")
"""

from panoptic_heuristic.head_results.cache import cache_heads
from panoptic_heuristic.head_results.fuse import fuse_heads, fuse_image
from panoptic_heuristic.head_results.image import ImageResults
from panoptic_heuristic.head_results.read import Heads, read_heads

__all__ = ["Heads", "ImageResults", "cache_heads", "fuse_heads", "fuse_image", "read_heads"]
