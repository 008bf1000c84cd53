"""HyperAttention: the keys that matter to a query exactly, and a little that stands for the rest."""
