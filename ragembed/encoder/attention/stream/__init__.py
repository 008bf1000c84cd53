"""Attention of causal encoders that read a stream."""
