"""ragembed words: what is in a file of word vectors, and writing it in another format."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.options import Json, note, print_json, printable, progress_bar

if TYPE_CHECKING:
    from ragembed.embed.words import WordVectors

FORMATS = ("folder", "word2vec", "word2vec-bin", "glove", "fasttext-vec", "fasttext-bin")
_SHOWN = 10
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
}


def words(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", readable=False, help="Folder or file of word vectors, in any format."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Write it here; .gz at the end packs it."),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"What to write: {', '.join(FORMATS)}.")
    ] = "folder",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N words, mostly the most frequent.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a file of word vectors holds, or convert it."""
    from ragembed.embed.words import open_word_vectors

    if format not in FORMATS:
        raise typer.BadParameter(f"--format is {format!r}; valid are: {', '.join(FORMATS)}")
    with progress_bar("reading") as progress:
        vectors = open_word_vectors(path, limit=limit, progress=progress)
    for kind, count in vectors.info.get("warnings", {}).items():
        note(f"{path}: {count} {_WARNINGS.get(kind, kind)}")
    if output is None:
        _show(path, vectors, json)
    else:
        _convert(vectors, output, format, json)


def _show(path: Path, vectors: "WordVectors", json: bool) -> None:
    found = _described(path, vectors)
    if json:
        print_json(found)
        return
    for key, value in found.items():
        if value not in (None, {}, []):
            print(f"{key:<12}{printable(_plain(value))}")


def _described(path: Path, vectors: "WordVectors") -> dict[str, Any]:
    from ragembed.index.files import folder_size

    info, grams = vectors.info, vectors.subwords
    losses = info.get("losses")
    return {
        "path": str(path),
        "format": "folder" if path.is_dir() else info.get("format"),
        "words": len(vectors),
        "dimension": vectors.dimension,
        "counts": vectors.counts is not None,
        "subwords": None
        if grams is None
        else {
            "minn": grams.minn,
            "maxn": grams.maxn,
            "buckets": grams.buckets,
            "kept": len(grams.vectors_of_ngrams),
        },
        "bytes": folder_size(path) if path.is_dir() else path.stat().st_size,
        "method": info.get("method"),
        "settings": info.get("settings"),
        "tokenizer": info.get("tokenizer"),
        "loss": losses[-1] if isinstance(losses, list) and losses else None,
        "source": info.get("source") if path.is_dir() else None,
        "warnings": info.get("warnings", {}),
        "digest": vectors.digest,
        "first": list(vectors.words[:_SHOWN]),
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {_plain(inner)}" for key, inner in value.items() if inner not in (None, {}, [])
        )
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _convert(vectors: "WordVectors", output: Path, format: str, json: bool) -> None:
    from ragembed.embed.words.formats import write
    from ragembed.embed.words.formats.fasttext_write import write_fasttext_bin

    if format == "folder":
        vectors.save(output)
        done = write.Written(output, len(vectors), 0, 0)
    else:
        writers: dict[str, Callable[[WordVectors, Path], write.Written]] = {
            "word2vec": write.write_word2vec_text,
            "word2vec-bin": write.write_word2vec_binary,
            "glove": write.write_glove_text,
            "fasttext-vec": write.write_fasttext_vec,
            "fasttext-bin": write_fasttext_bin,
        }
        done = writers[format](vectors, output)
    if done.left_out:
        note(f"{done.left_out} words are left out: {format} cannot hold them")
    if done.with_spaces:
        note(f"{done.with_spaces} words hold spaces, which many other programs do not read")
    report = {"output": str(output), "format": format, "words": done.words, "dimension": vectors.dimension}
    if json:
        print_json({**report, "left_out": done.left_out, "with_spaces": done.with_spaces})
    else:
        print(f"{done.words} words x {vectors.dimension} ({format}): {printable(str(output))}")
