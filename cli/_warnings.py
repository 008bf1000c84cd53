"""What was odd in a file of word vectors, told once for each kind."""

from pathlib import Path
from typing import TYPE_CHECKING

from ragembed.cli.options import note

if TYPE_CHECKING:
    from ragembed.embed.words import WordVectors

NOT_KEPT = "not_kept"
_WARNINGS = {
    "duplicates": "words that stood before: the first counts",
    "blank_lines": "blank lines",
    "wrong_columns": "lines with another number of columns, passed over",
    "not_finite": "words with NaN or infinity, passed over",
    "not_utf8": "words that are not UTF-8, passed over",
    "long_words": "words that are too long, passed over",
    "no_word": "rows without a word, passed over",
    "more_than_header": "words more than the first line promises",
    "bytes_beyond_header": "bytes after the last word that the first line promises, passed over",
    "fewer_than_header": "words fewer than the first line promises",
    NOT_KEPT: "conversion that could not be kept, so that each opening converts again: name a folder that can be"
    " written to (RAGEMBED_CACHE)",
}


def tell_warnings(path: Path, vectors: "WordVectors", *, only: str | None = None) -> None:
    """On stderr, how often each kind of oddity came in the file `path`; or `only` one kind."""
    for kind, count in vectors.info.get("warnings", {}).items():
        if only in (None, kind):
            note(f"{path}: {count} {_WARNINGS.get(kind, kind)}")
