"""Comparing systems: the grid, its runs, the statistics, the recommendation."""
