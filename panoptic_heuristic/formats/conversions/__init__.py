"""Conversions between panoptic formats: ``*_files`` on disk, image by image; the others in memory."""
