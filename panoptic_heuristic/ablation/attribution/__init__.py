"""The cause of each missed segment and false positive, and the PQ that mending it would bring."""
