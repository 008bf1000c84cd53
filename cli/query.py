"""ragembed query: a question -> ranked passages, or many questions -> a TREC run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.options import Index, Json, Where, note, print_json, printable, tell_coverage
from ragembed.errors import QueryError

if TYPE_CHECKING:
    from rich.text import Text

    from ragembed.embed.coverage import Coverage
    from ragembed.pipeline import Pipeline
    from ragembed.types import Hit

_SHOWN = 800
"""Characters of a passage that are shown."""


def query(
    index: Index,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What to search; '-' reads it from stdin.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--top-k", min=1, help="How many hits.")] = 10,
    where: Where = None,
    queries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Queries as JSON Lines ({_id, text}) or as lines 'id<TAB>text'."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="OUT", help="With --queries: write a TREC run of documents.")
    ] = None,
    json: Json = False,
) -> None:
    """Search an index. Without TEXT on a terminal it asks for queries one after another."""
    from ragembed.pipeline import Pipeline

    if queries is None and run is not None:
        raise typer.BadParameter("--run needs --queries")
    if queries is not None and text is not None:
        raise typer.BadParameter("give TEXT or --queries, not both")
    if queries is None and text is None and not sys.stdin.isatty():
        raise typer.BadParameter("TEXT is missing; '-' reads it from stdin")
    with Pipeline.open(index) as pipeline:
        if queries is not None:
            _batch(pipeline, queries, k, where, run, json)
        elif text is None:
            _converse(pipeline, k, where, json)
        else:
            _answer(pipeline, _stdin() if text == "-" else text, k, where, json)


def _stdin() -> str:
    from ragembed.read.encoding import decode

    return decode(sys.stdin.buffer.read()).text.strip()


def _answer(pipeline: "Pipeline", text: str, k: int, where: str | None, json: bool) -> None:
    with _met(pipeline) as met:
        hits = pipeline.search(text, k, where)
    unknown = list(dict.fromkeys(word for each in met.values() for word in each.words))
    if unknown:
        note(f"no vector for: {', '.join(unknown)}")
    if json:
        told = {"unknown": unknown} if unknown else {}
        print_json({"query": text, **told, "hits": [_plain(hit) for hit in hits]})
    else:
        _print(pipeline, text, hits)


def _converse(pipeline: "Pipeline", k: int, where: str | None, json: bool) -> None:
    note("type a query; an empty line or Ctrl-D ends")
    while True:
        try:
            text = input("query> ").strip()
        except EOFError:
            return
        if not text:
            return
        try:
            _answer(pipeline, text, k, where, json)
        except QueryError as error:
            note(f"error: {error}")


def _batch(pipeline: "Pipeline", path: Path, k: int, where: str | None, run: Path | None, json: bool) -> None:
    from ragembed.datasets import read_queries

    texts = read_queries(path)
    if run is not None:
        from ragembed.eval.runs import write_run

        with _met(pipeline) as met:
            answers = dict(zip(texts, pipeline.search_documents(list(texts.values()), k, where), strict=True))
        tell_coverage(met.values())
        write_run(run, answers)
        hits = sum(len(answer) for answer in answers.values())
        if json:
            print_json({"queries": len(texts), "hits": hits, "run": str(run)})
        else:
            print(f"{len(texts)} queries, {hits} hits: {run}")
        return
    with _met(pipeline) as met:
        answered = pipeline.search_many(list(texts.values()), k, where)
    tell_coverage(met.values())
    for (identifier, text), found in zip(texts.items(), answered, strict=True):
        if json:
            print_json({"query_id": identifier, "query": text, "hits": [_plain(hit) for hit in found]})
        else:
            print(f"\n{identifier}: {text}")
            _print(pipeline, text, found)


@contextmanager
def _met(pipeline: "Pipeline") -> Iterator["dict[str, Coverage]"]:
    """What each embedder that goes by words knows of the queries that are asked meanwhile."""
    from ragembed.embed.coverage import added, coverages

    met: dict[str, Coverage] = {}
    before = coverages(pipeline.embedders)
    yield met
    met.update(added(pipeline.embedders, before))


def _plain(hit: "Hit") -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "rank": hit.rank,
        "score": hit.score,
        "id": chunk.id,
        "document_id": chunk.document_id,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "metadata": dict(chunk.metadata),
        **(
            {"parts": {name: {"rank": r, "score": s} for name, (r, s) in hit.parts.items()}}
            if len(hit.parts) > 1
            else {}
        ),
    }


def _print(pipeline: "Pipeline", text: str, hits: "list[Hit]") -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not hits:
        console.print("no hits")
    for hit in hits:
        console.print(_heading(hit))
        console.print(_passage(pipeline, text, hit.chunk.text))
        console.print()


def _heading(hit: "Hit") -> "Text":
    from rich.text import Text

    metadata = hit.chunk.metadata
    place = hit.chunk.document_id
    if "page" in metadata:
        place += f" page {metadata['page']}"
    elif "line" in metadata and place == metadata.get("path"):
        place += f":{metadata['line']}"
    elif "line" in metadata:  # a row of a file
        place += f" ({metadata.get('path')}:{metadata['line']})"
    heading = Text.assemble(
        (f"{hit.rank}. ", "bold"), (f"{hit.score:.4g}  ", "cyan"), (printable(place), "bold green")
    )
    name = metadata.get("heading") or metadata.get("title")
    if name:
        heading.append(f"  {printable(str(name))}", "dim")
    return heading


def _passage(pipeline: "Pipeline", query: str, passage: str) -> "Text":
    """The part of the passage with most of the query's words, those marked."""
    from rich.text import Text

    from ragembed.analysis import highlight_spans

    analyzer = pipeline.analyzer
    spans = highlight_spans(analyzer, passage, analyzer.terms(query))
    start, end = _window(passage, spans)
    text = Text("… " if start else "")
    body = Text(printable(passage[start:end]))
    for first, last in spans:
        if start <= first and last <= end:
            body.stylize("bold yellow", first - start, last - start)
    return text.append_text(body).append(" …" if end < len(passage) else "")


def _window(passage: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """The part of `passage` that holds most of `spans`, with as much before them as after, from word to word."""
    if len(passage) <= _SHOWN:
        return 0, len(passage)
    inside: list[tuple[int, int]] = [(0, 0)]
    last = 0
    for first, (start, _) in enumerate(spans):
        while last < len(spans) and spans[last][1] <= start + _SHOWN:
            last += 1
        if last - first > len(inside):
            inside = spans[first:last]
    slack = _SHOWN - (inside[-1][1] - inside[0][0])
    start = max(0, min(inside[0][0] - slack // 2, len(passage) - _SHOWN))
    end = start + _SHOWN
    if start:
        start = passage.find(" ", start, inside[0][0]) + 1 or start
    if end < len(passage):
        end = max(passage.rfind(" ", inside[-1][1], end), inside[-1][1]) or end
    return start, end
