"""Attention to a pattern of blocks or spans."""
