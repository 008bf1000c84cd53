"""Attention to what is near: a band of the matrix, with global tokens or sinks beside it."""
