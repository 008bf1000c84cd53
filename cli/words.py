"""ragembed words: what is in a file of word vectors, and writing it in another format."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli._warnings import tell_warnings
from ragembed.cli.options import Json, note, print_json, printable, progress_bar, refuse

if TYPE_CHECKING:
    from ragembed.embed.words import WordVectors

FORMATS = ("folder", "word2vec", "word2vec-bin", "glove", "fasttext-vec", "fasttext-bin")
_SHOWN = 10


def words(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", readable=False, help="Folder or file of word vectors, in any format."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Write it here; .gz at the end packs it."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"What to write: {', '.join(FORMATS)}. (default: by OUT's ending, .txt .vec .bin, else folder)",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUT, a file or a folder of nothing but word vectors.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N words, mostly the most frequent.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read all of a folder, and compare it with the sha256 written there."),
    ] = False,
    json: Json = False,
) -> None:
    """Show what a file of word vectors holds, or convert it."""
    from ragembed.embed.words import open_word_vectors
    from ragembed.embed.words.formats.folder import verify_folder
    from ragembed.embed.words.formats.target import FOLDER, check_target, format_of

    if format is not None and format not in FORMATS:
        raise typer.BadParameter(f"--format is {format!r}; valid are: {', '.join(FORMATS)}")
    if output is None:
        refuse(context, {"format": "--format", "force": "--force"}, "nothing is written without -o OUT")
    else:
        whole = (format or format_of(output, subwords=False)) == FOLDER
        check_target(output, folder=whole, force=force)
    if verify and path.is_file():
        raise typer.BadParameter("--verify does nothing here: a file holds no sha256 to compare with")
    with progress_bar("reading") as progress:
        vectors = open_word_vectors(path, limit=limit, progress=progress)
    tell_warnings(path, vectors)
    if verify:
        verify_folder(path)
        note(f"{path}: all arrays are what was written")
    if output is None:
        _show(path, vectors, json)
    else:
        _convert(vectors, output, format or format_of(output, subwords=vectors.subwords is not None), json)


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
    from ragembed.embed.words.formats.target import WRITERS

    done = WRITERS[format](vectors, output)
    if done.left_out:
        note(f"{done.left_out} words are left out: {format} cannot hold them")
    if done.with_spaces:
        note(f"{done.with_spaces} words hold spaces, which many other programs do not read")
    report = {"output": str(output), "format": format, "words": done.words, "dimension": vectors.dimension}
    if json:
        odd = vectors.info.get("warnings", {})
        print_json({**report, "left_out": done.left_out, "with_spaces": done.with_spaces, "warnings": odd})
    else:
        print(f"{done.words} words x {vectors.dimension} ({format}): {printable(str(output))}")
