"""PQ of every setting of a grid."""
