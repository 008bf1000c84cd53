"""Attention by its definition: fused kernels, additive, and FlashAttention to be read."""
