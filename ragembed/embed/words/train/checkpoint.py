"""Where a training is: its arrays and JSON values in a folder that is there whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.formats.folder import TRAINING
from ragembed.embed.words.train.base import Arrays
from ragembed.errors import CorruptError
from ragembed.index.files import sync_folder, sync_tree

STATE = TRAINING
"""Folder of a model: what a later training needs to go on from it."""
_VALUES = "values.json"


@dataclass(frozen=True)
class Checkpoint:
    """A state to go on from."""

    arrays: Arrays
    values: Mapping[str, Any]
    """JSON values."""


def write_checkpoint(folder: Path, arrays: Arrays, values: Mapping[str, Any]) -> None:
    """Write a checkpoint to `folder`, in the place of the one that is there."""
    new, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    write_state(new, arrays, values)
    sync_tree(new)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint at `folder`, or the one before where a kill came between the two renames; None: there is none."""
    for place in (folder, folder.with_name(folder.name + ".old")):
        if (place / _VALUES).is_file():
            return read_state(place)
    return None


def write_state(folder: Path, arrays: Arrays, values: Mapping[str, Any]) -> None:
    """Write arrays, each a ``.npy`` file, and JSON values to `folder`."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    listed = {"arrays": sorted(arrays), "values": dict(values)}
    (folder / _VALUES).write_text(json.dumps(listed) + "\n", encoding="utf-8")


def read_state(folder: Path) -> Checkpoint:
    """What `write_state` wrote, the arrays mapped into memory; raises `CorruptError` where it cannot be read."""
    try:
        listed = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
        arrays: dict[str, NDArray[Any]] = {
            str(name): np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in listed["arrays"]
        }
        return Checkpoint(arrays, dict(listed["values"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"the state of training in {folder} cannot be read ({error})",
            "remove that folder, and train anew",
        ) from error
