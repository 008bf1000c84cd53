"""Comparing systems: the grid, its runs, the statistics, the recommendation."""

from __future__ import annotations

from ragembed.eval.compare.job import Job, JobError
from ragembed.eval.compare.run import compare
from ragembed.eval.compare.settings import Entry, Settings
from ragembed.eval.systems import RunFile, System, grid

__all__ = ["Entry", "Job", "JobError", "RunFile", "Settings", "System", "compare", "grid"]
