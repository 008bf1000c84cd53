"""Finding a test collection by its name or folder, and the loader for it."""

from __future__ import annotations

from pathlib import Path

from ragembed.datasets.base import Dataset, Format, read_dataset
from ragembed.datasets.beir import Beir
from ragembed.datasets.chroma import Chroma
from ragembed.datasets.smart import Smart
from ragembed.datasets.trec import Trec
from ragembed.errors import DatasetError

FORMATS: dict[str, Format] = {"beir": Beir(), "chroma": Chroma(), "smart": Smart(), "trec": Trec()}
"""Loaders in the order in which a folder is shown to them."""

BUILT_IN: dict[str, Path] = {"primer": Path(__file__).parent / "primer"}
"""Folders of the collections that come with the package."""


def available() -> list[str]:
    """Names that `load` knows without a folder, sorted."""
    return sorted(BUILT_IN)


def load(name_or_folder: str | Path, split: str = "test", *, allow_unknown: bool = False) -> Dataset:
    """Open a test collection: a name of `available`, or a folder in BEIR, Chroma, SMART or TREC form.

    A built-in name goes before a folder of that name; write ``./primer`` for the folder. With
    `allow_unknown`, judgements may name documents and queries that the collection lacks; they are kept, so
    that recall still divides by them, as trec_eval does. Raises `DatasetError` with file and line for
    anything malformed.
    """
    built_in = BUILT_IN.get(name_or_folder) if isinstance(name_or_folder, str) else None
    folder = built_in or Path(name_or_folder)
    name = str(name_or_folder) if built_in else folder.resolve().name
    return read_dataset(recognise(folder), folder, name, split, allow_unknown)


def recognise(folder: Path) -> Format:
    """The loader for `folder`; raises `DatasetError` with what there is and what would be read."""
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no folder"
        raise DatasetError(
            f"no test collection {str(folder)!r}: it is {what} and no built-in name",
            f"give a folder, or one of: {', '.join(available())}",
        )
    try:
        there = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read ({error.strerror})", "check its permissions") from error
    for form in FORMATS.values():
        if form.recognises(folder):
            return form
    shown = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "") or "nothing"
    layouts = "; ".join(f"{form.name}: {form.layout}" for form in FORMATS.values())
    raise DatasetError(f"{folder} holds no test collection, but {shown}", f"expected is one of {layouts}")
