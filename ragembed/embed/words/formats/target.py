"""Where word vectors may be written, and in which format: nothing that somebody may still need is written over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from ragembed.embed.words.formats.disk import writing
from ragembed.embed.words.formats.fasttext_write import write_fasttext_bin
from ragembed.embed.words.formats.folder import FILES, TEMPORARY, is_folder_of_words
from ragembed.embed.words.formats.write import (
    Written,
    write_fasttext_vec,
    write_glove_text,
    write_word2vec_binary,
    write_word2vec_text,
)
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import StoreError

FOLDER = "folder"


def _write_folder(vectors: WordVectors, path: Path) -> Written:
    vectors.save(path)
    return Written(path, len(vectors), 0, 0)


WRITERS: Mapping[str, Callable[[WordVectors, Path], Written]] = {
    FOLDER: _write_folder,
    "word2vec": write_word2vec_text,
    "word2vec-bin": write_word2vec_binary,
    "glove": write_glove_text,
    "fasttext-vec": write_fasttext_vec,
    "fasttext-bin": write_fasttext_bin,
}
"""By the name of the format."""
_ENDINGS = {".txt": "word2vec", ".vec": "fasttext-vec", ".bin": "word2vec-bin"}


def format_of(path: Path, *, subwords: bool) -> str:
    """The format that the ending of `path` asks for, which may stand before ``.gz``; a folder where it asks for none.

    A ``.bin`` is fastText's where there are n-grams to keep (`subwords`), else word2vec's.
    """
    name = path.name.lower()
    unpacked = name.removesuffix(".gz")
    found = _ENDINGS.get(Path(unpacked).suffix, FOLDER if unpacked == name else "word2vec")
    return "fasttext-bin" if found == "word2vec-bin" and subwords else found


def check_target(path: Path, *, folder: bool, force: bool) -> None:
    """Raise `StoreError` unless a file, or a `folder`, may be written to `path`.

    What is new may, and a folder that is empty. With `force` a file gives way to a file, and a folder that holds the
    files of word vectors, and nothing else, to a folder; a trained model or an index never does.
    """
    with writing(path):
        if path.is_symlink() and not path.exists():
            raise StoreError(f"{path} is a link to {path.readlink()}, which is not there", "remove the link")
        if path.is_dir():
            _check_folder(path, folder=folder, force=force)
        elif path.exists() and folder:
            raise StoreError(f"{path} is a file, where a folder is to be written", "name a new folder")
        elif path.is_file() and not force:
            raise StoreError(f"{path} exists", "name another file, or add --force to replace it")


def _check_folder(path: Path, *, folder: bool, force: bool) -> None:
    if not folder:
        raise StoreError(f"{path} is a folder, where a file is to be written", "name a new file")
    names = {entry.name for entry in path.iterdir()}
    if not names:
        return
    others = sorted(name for name in names - FILES if not fnmatch(name, TEMPORARY))
    if others or not is_folder_of_words(path):
        raise StoreError(
            f"{path} holds {others[0] if others else min(names)}, which is no part of plain word vectors",
            "name a new folder; this one is not replaced",
        )
    if not force:
        raise StoreError(
            f"{path} holds word vectors already", "name another folder, or add --force to replace them"
        )
