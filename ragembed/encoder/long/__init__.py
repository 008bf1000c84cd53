"""Texts longer than a model takes: how they are cut into pieces that it takes, and what becomes of the pieces."""
