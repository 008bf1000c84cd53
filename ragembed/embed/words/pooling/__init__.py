"""Vectors of passages from the vectors of their words."""
