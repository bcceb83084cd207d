"""Finding settings on some images and counting them on others."""
