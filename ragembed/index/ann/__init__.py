"""Approximate search for nearest neighbours: index types by spec, and the accelerators that are built of them.

A flat segment stays what is true of a vector. An accelerator is a second, smaller structure over some of the same rows
that names candidates, which are then scored by their flat vectors; where it is damaged, or dropped, nothing is lost.
"""

from ragembed.index.ann.base import AnnType, Setting
from ragembed.registry import Registry

__all__ = ["ANN_TYPES", "AnnType", "Setting"]

_HERE = "ragembed.index.ann"
ANN_TYPES: Registry[AnnType] = Registry(
    "index type",
    "ragembed.index_types",
    {
        "flat": f"{_HERE}.flat:FlatType",
        "sqfp16": f"{_HERE}.scalar:Half",
        "sq8": f"{_HERE}.scalar:Bytes",
        "hnsw": f"{_HERE}.hnsw:Graph",
        "hnsw_sq8": f"{_HERE}.hnsw:GraphOfBytes",
        "ivf": f"{_HERE}.ivf:Lists",
        "ivf_sq8": f"{_HERE}.ivf:ListsOfBytes",
        "ivfpq": f"{_HERE}.ivf:ProductQuantised",
        "rabitq": f"{_HERE}.ivf:RaBitQ",
        "binary": f"{_HERE}.binary:Binary",
        "faiss": f"{_HERE}.factory:Factory",
    },
)
