"""Attention by features or projections, in time that grows with n."""
