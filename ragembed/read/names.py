"""What the name of a file tells without a look into it."""

from __future__ import annotations

import os
import re

BINARY = "binary"

BINARY_SUFFIXES = frozenset({
    "7z", "a", "avi", "avif", "bin", "bmp", "bz2", "class", "db", "dll", "dmg", "eot", "exe",
    "flac", "gif", "gz", "ico", "iso", "jar", "jpeg", "jpg", "lz4", "m4a", "mkv", "mov", "mp3", "mp4",
    "npy", "npz", "o", "ogg", "onnx", "otf", "parquet", "pkl", "png", "pt", "pyc", "pyd",
    "pyo", "rar", "safetensors", "so", "sqlite", "tar", "tgz", "tif", "tiff", "ttf", "wasm", "wav",
    "webm", "webp", "whl", "woff", "woff2", "xz", "zip", "zst",
})  # fmt: skip
"""Names that no reader takes, so that a walk need not open such files, however large."""


def suffix(name: str) -> str:
    """The last part of a file's name, lower case and without dot; numbers of rotated logs are passed over."""
    *stem, last = name[name.rfind("/") + 1 :].lower().split(".")
    while stem and (last.isdigit() or not last):
        last = stem.pop()
        if not stem:
            return ""
    return last if any(stem) else ""


def is_binary_name(name: str) -> bool:
    """Whether the `suffix` of `name` is among `BINARY_SUFFIXES`."""
    last = name[name.rfind(".") + 1 :].lower()
    # the second half, which takes five times as long, decides only for names such as log.gz.1
    return (last in BINARY_SUFFIXES or not last or last.isdigit()) and suffix(name) in BINARY_SUFFIXES


def printable(name: str) -> str:
    r"""`name` as valid Unicode: a byte of a file name that is no UTF-8 is shown as ``\xNN``."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_there(path: str) -> bool:
    """Whether there is a file or folder of that `printable` path."""
    return os.path.exists(path) or ("\\x" in path and os.path.exists(_on_disk(path)))  # noqa: PTH110 - bytes


def on_disk(path: str) -> str:
    """The name of the file of that `printable` path, as functions of files take it."""
    return path if "\\x" not in path or os.path.exists(path) else os.fsdecode(_on_disk(path))  # noqa: PTH110


def _on_disk(path: str) -> bytes:
    """The name that `printable` showed so, if it was no UTF-8."""
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), path.encode())
