"""The commands, one per module, and what they share."""
