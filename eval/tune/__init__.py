"""What labelled queries teach an index: weights for its lists, and how probably a hit is relevant.

gather.py      each embedder's list for each query, found once
candidates.py  fusions and weights, and what each scores on each query
choose.py      which of them, with few queries close to equal weights; and whether the gain is real
fit.py         the probability that a hit is relevant, and how well it was told on held-out queries
tuning.py      all of it: `tune`
"""

from __future__ import annotations

from ragembed.eval.tune.tuning import Tuning, tune

__all__ = ["Tuning", "tune"]
