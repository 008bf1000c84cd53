"""Published weights in HDF5: read with every size checked before memory is asked for, and written for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import Weights, check, check_finite, missing_identities, shapes
from ragembed.errors import EmbeddingError, StoreError
from ragembed.extras import require

_MOST_COMPRESSION = 100
"""A dataset that claims to be larger than its file by more than this is lying: weights compress to a half."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_REMEDY = "fetch the file again"


def read_hdf5(path: str | Path, options: Options) -> Weights:
    """The weights in `path` as float32. Raises `EmbeddingError` where they are not those of `options`."""
    path = Path(path).expanduser()
    _check_signature(path)
    h5py = require("h5py", "elmo", "reading ELMo's published weights")
    try:
        with h5py.File(path, "r") as file:
            datasets = {name: _dataset(h5py, file, name, path) for name in shapes(options)}
            datasets = {name: found for name, found in datasets.items() if found is not None}
            identities = missing_identities(options, datasets)
            found = {name: tuple(each.shape) for name, each in datasets.items()}
            check(options, {**found, **{name: each.shape for name, each in identities.items()}}, path)
            room = _MOST_COMPRESSION * path.stat().st_size
            if (claimed := sum(each.nbytes for each in datasets.values())) > room:
                raise EmbeddingError(f"{path} claims to hold {claimed} bytes, more than it can", _REMEDY)
            weights = {name: np.array(each[()], np.float32, order="C") for name, each in datasets.items()}
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:  # all that h5py raises for damage
        raise EmbeddingError(f"{path} is damaged ({error})", _REMEDY) from error
    weights.update(identities)
    check_finite(weights, path)
    return weights


def write_hdf5(path: str | Path, weights: Weights) -> None:
    """Write `weights` to `path` as they are published, for other programs."""
    h5py = require("h5py", "elmo", "writing ELMo's published format")
    try:
        with h5py.File(path, "w") as file:
            for name, values in weights.items():
                file.create_dataset(name, data=values)
    except (OSError, RuntimeError) as error:  # the second where the disk is full as the file is closed
        raise StoreError(f"{path} cannot be written ({error})", "check the disk and its room") from error


def _check_signature(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(_SIGNATURE))
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be read ({error.strerror})", "name the weights' file") from error
    if start != _SIGNATURE:
        raise EmbeddingError(
            f"{path} is no HDF5 file", "name the weights that were published with the options"
        )


def _dataset(h5py: Any, file: Any, name: str, path: Path) -> Any:
    """The dataset `name`, or None. What would read another file, or holds no numbers, raises `EmbeddingError`."""
    group = file
    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise EmbeddingError(f"{path}: {name} is a link to elsewhere", _REMEDY)
        group = group[part]
    if not isinstance(group, h5py.Dataset) or group.dtype.kind != "f" or group.external or group.is_virtual:
        raise EmbeddingError(f"{path}: {name} is no tensor of floating-point numbers in this file", _REMEDY)
    return group
