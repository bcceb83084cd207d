"""The sub-commands of convert-panoptic, one module per form, and what they share."""
