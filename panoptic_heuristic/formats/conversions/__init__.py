"""Conversions between panoptic formats: ``image_files`` on disk, image by image; ``instances_semantic`` in memory."""
