"""Bridges to other projects, each needing that project installed."""
