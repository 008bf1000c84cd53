"""Where a model lies: the published pair of ``options.json`` and HDF5, or our folder with safetensors.

Our folder holds ``options.json`` (the published form), ``elmo.safetensors`` (tensors under their published names)
and ``elmo.json`` (the tokenizer, and for a model that was trained here its words and how it was trained).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.elmo.hdf5 import read_hdf5, write_hdf5
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import Weights, check, check_finite, digest, shapes
from ragembed.embed.words.formats.disk import writing
from ragembed.embed.words.formats.folder import FILES, TEMPORARY
from ragembed.errors import EmbeddingError, StoreError
from ragembed.index.files import sync_folder, sync_tree

OPTIONS, TENSORS, INFO = "options.json", "elmo.safetensors", "elmo.json"
OURS = (OPTIONS, INFO, TENSORS)
"""All files of our form, in the order in which they appear: without the last there is no model."""
_WEIGHTS = "weights.hdf5"


@dataclass(frozen=True, repr=False)
class ElmoFiles:
    """A model as it lies on disk."""

    options: Options
    weights: Weights
    info: dict[str, Any] = field(default_factory=dict)
    """JSON: ``tokenizer``, ``words``, ``settings``, ``perplexities`` ... where they are known."""

    def __repr__(self) -> str:
        numbers = sum(values.size for values in self.weights.values())
        return f"<ElmoFiles: {self.options.layers} layers, {self.options.dimension} dimensions, {numbers:,} weights>"

    @cached_property
    def digest(self) -> str:
        """sha256 of options and weights, the same before and after `save` and `export`."""
        return digest(self.options, self.weights)

    def save(self, folder: str | Path) -> None:
        """Write our folder; opening it needs no h5py.

        Raises `StoreError` where the disk does not take it, or the folder holds anything but such a model and word
        vectors: its ``options.json`` may say more than is kept here.
        """
        from safetensors.numpy import save

        with _replacing(Path(folder).expanduser(), OURS, {*OURS, *FILES}) as new:
            self._write_options(new)
            (new / INFO).write_text(json.dumps(self.info) + "\n", encoding="utf-8")
            (new / TENSORS).write_bytes(save(dict(self.weights)))

    def export(self, folder: str | Path) -> None:
        """Write ``options.json`` and ``weights.hdf5`` as they are published, for other programs.

        Raises `StoreError` where the disk does not take it, or the folder is neither new nor empty.
        """
        with _replacing(Path(folder).expanduser(), (OPTIONS, _WEIGHTS), ()) as new:
            self._write_options(new)
            write_hdf5(new / _WEIGHTS, self.weights)

    def _write_options(self, folder: Path) -> None:
        (folder / OPTIONS).write_text(json.dumps(self.options.to_json(), indent=1) + "\n", encoding="utf-8")


def open_elmo(path: str | Path, options: str | Path | None = None) -> ElmoFiles:
    """The model in `path`: our folder, a folder with published files, or an HDF5 file.

    The options of an HDF5 file are `options`, else the one file beside it whose name ends in ``options.json``.
    Raises `EmbeddingError` where there is no such model or it is damaged.
    """
    path = Path(path).expanduser()
    if path.is_dir() and (path / TENSORS).is_file():
        return _open_folder(path)
    weights = _only(path, ("*.hdf5", "*.h5"), "weights in HDF5") if path.is_dir() else path
    if not weights.is_file():
        raise EmbeddingError(
            f"{path} is no model of ELMo", "name the folder with options.json and the weights"
        )
    read = Options.read(_options_beside(weights) if options is None else Path(options).expanduser())
    return ElmoFiles(read, read_hdf5(weights, read), {"tokenizer": {"kind": "cased"}})


def convert(path: str | Path, folder: str | Path, options: str | Path | None = None) -> ElmoFiles:
    """Write the model in `path` to `folder` in our form, so that h5py is needed only this once."""
    files = open_elmo(path, options)
    files.save(folder)
    return files


def _open_folder(folder: Path) -> ElmoFiles:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    options = Options.read(folder / OPTIONS)
    path = folder / TENSORS
    try:
        tensors = load_file(path)
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, SafetensorError) as error:
        raise EmbeddingError(
            f"the model in {folder} is damaged ({error})", "convert or train it again"
        ) from error
    if not isinstance(info, Mapping):
        raise EmbeddingError(f"{folder / INFO} holds no JSON object", "convert or train it again")
    check(options, {name: tuple(each.shape) for name, each in tensors.items()}, path)
    weights = {name: np.ascontiguousarray(tensors[name], np.float32) for name in shapes(options)}
    check_finite(weights, path)
    return ElmoFiles(options, weights, dict(info))


def _options_beside(weights: Path) -> Path:
    prefix = weights.name.partition("weights")[0]
    own = weights.with_name(f"{prefix}{OPTIONS}")  # elmo_2x4096_weights.hdf5 has elmo_2x4096_options.json
    return own if own.is_file() else _only(weights.parent, (f"*{OPTIONS}",), OPTIONS)


def _only(folder: Path, patterns: tuple[str, ...], what: str) -> Path:
    """The one file of `folder` that fits; weights are told from activations by their name, where both are HDF5."""
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    if len(found) > 1:
        found = [path for path in found if "weights" in path.name] or found
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:4]) or "none"
        raise EmbeddingError(f"{folder} has {len(found)} files that may be {what} ({names})", "name the file")
    return found[0]


@contextlib.contextmanager
def _replacing(folder: Path, names: Sequence[str], allowed: Collection[str]) -> Iterator[Path]:
    """A new folder to write `names` to, which then go to `folder`, the last of them last; on an error none does.

    Raises `StoreError` where `folder` holds anything but `allowed`, or `names` without the last: another's.
    """
    made = not folder.exists()
    with writing(folder):
        there = (
            set() if made else {path.name for path in folder.iterdir() if not fnmatch(path.name, TEMPORARY)}
        )
        others = sorted(there.difference(allowed) or (there & {*names} if names[-1] not in there else ()))
        if others:
            raise StoreError(
                f"{folder} holds {others[0]}, which this model would stand beside", "name a new folder"
            )
        new = folder / f".{secrets.token_hex(4)}.tmp"
        new.mkdir(parents=True)
        try:
            yield new
            sync_tree(new)
            (folder / names[-1]).unlink(missing_ok=True)
            for name in names:
                (new / name).replace(folder / name)
            sync_folder(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if made:
                with contextlib.suppress(OSError):  # the model is in it
                    folder.rmdir()
