"""FlashAttention 2 as kernels in Triton."""
