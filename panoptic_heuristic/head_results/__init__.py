"""Result files of any two heads: reading, fusing and caching them."""
