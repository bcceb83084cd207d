"""The pixels of an image grouped by all that fusing and scoring can tell of them."""
