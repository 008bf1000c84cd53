"""ragembed map: words or chunks -> a map in two dimensions, as one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli._warnings import NOT_KEPT, tell_warnings
from ragembed.cli.options import Json, Where, note, print_json, refuse

if TYPE_CHECKING:
    from ragembed.eval.map.drawing import Drawing
    from ragembed.eval.map.points import Points

_OF_WORDS = {"words": "--words", "word": "--word"}
_OF_CHUNKS = {"chunks": "--chunks", "color": "--color", "where": "--where", "query": "--query"}
_WORDS = "For word vectors"
_CHUNKS = "For an index"


def map(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH|INDEX",
            readable=False,
            help="Word vectors of any format, or the folder of an index.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="MAP.html", help="Where the page goes.")
    ] = None,
    words: Annotated[
        int,
        typer.Option("--words", metavar="N", help="The N most frequent words.", rich_help_panel=_WORDS),
    ] = 500,
    word: Annotated[
        list[str] | None,
        typer.Option(
            "--word",
            metavar="WORD",
            help="A word, or a sum of words, with its neighbours instead; repeatable.",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    chunks: Annotated[
        int,
        typer.Option("--chunks", metavar="N", help="N chunks, drawn at random.", rich_help_panel=_CHUNKS),
    ] = 2_000,
    color: Annotated[
        str | None,
        typer.Option(
            "--color",
            metavar="FIELD",
            help="document, folder, or a field of the metadata. (default: what has some groups)",
            rich_help_panel=_CHUNKS,
        ),
    ] = None,
    where: Where = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "--query",
            metavar="TEXT",
            help="Place a query among the chunks, with its hits; repeatable.",
            rich_help_panel=_CHUNKS,
        ),
    ] = None,
    near: Annotated[
        int,
        typer.Option("--near", min=1, metavar="N", help="Neighbours of each --word, hits of each --query."),
    ] = 20,
    method: Annotated[
        str, typer.Option(metavar="pca|umap", help="pca is exact; umap keeps neighbours together.")
    ] = "pca",
    seed: Annotated[int, typer.Option(min=0, help="Of the chunks drawn, and of umap.")] = 0,
    json: Json = False,
) -> None:
    """Draw words, or the chunks of an index, as a map to look at in a browser: one HTML file without any request."""
    from ragembed.eval.map import write_map
    from ragembed.eval.map.chunks import points_of_index
    from ragembed.eval.map.drawing import draw
    from ragembed.eval.map.points import points_of_words
    from ragembed.index.catalog import CATALOG_NAME

    if output is None and not json:
        raise typer.BadParameter("give the page a name (-o MAP.html), or ask for the points alone (--json)")
    if (path / CATALOG_NAME).is_file():
        from ragembed.pipeline import Pipeline

        refuse(context, _OF_WORDS, f"{path} is an index, whose chunks are drawn")
        with Pipeline.open(path) as pipeline:
            points = points_of_index(
                pipeline, most=chunks, color=color, where=where, queries=query or (), near=near, seed=seed
            )
    else:
        from ragembed.embed.words import open_word_vectors

        refuse(context, _OF_CHUNKS, f"{path} holds words, no chunks")
        vectors = open_word_vectors(path)
        tell_warnings(path, vectors, only=NOT_KEPT)
        points = points_of_words(vectors, str(path), most=words, named=word or (), near=near)
    drawing = draw(points, method, seed)
    if output is not None:
        write_map(output, drawing)
    if points.left_out:
        note(f"{points.left_out:,} {points.kind} have no vector, and are left out")
    if json:
        print_json({"map": None if output is None else str(output), **drawing.to_json()})
        return
    print(_told(points, drawing))
    print(output)


def _told(points: "Points", drawing: "Drawing") -> str:
    """The map in a line."""
    shown = f"{len(points.names):,} of {points.total:,} {points.kind}"
    if points.queries:
        shown += f", {len(points.queries)} queries"
    axes = "; ".join(drawing.axes)
    near = drawing.near.shape[1]
    return f"{shown}  {axes}  ({near * drawing.kept:.1f} of {near} nearest are near on the map)"
