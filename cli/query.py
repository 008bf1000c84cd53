"""ragembed query: a question -> ranked passages, or many questions -> a TREC run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ragembed.cli.options import (
    Aggregate,
    Fusion,
    Index,
    Json,
    Steps,
    Where,
    note,
    print_json,
    printable,
    progress_bar,
    refuse,
    tell_coverage,
)
from ragembed.errors import QueryError

if TYPE_CHECKING:
    from rich.text import Text

    from ragembed.embed.coverage import Coverage
    from ragembed.pipeline import Pipeline
    from ragembed.types import Chunk, Context, Hit

_SHOWN = 800
"""Characters of a passage that are shown."""
_NAMED = 5
"""Chunks that are named where a hit stands for them."""


def query(
    context: typer.Context,
    index: Index,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What to search; '-' reads it from stdin.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--top-k", min=1, help="How many hits.")] = 10,
    where: Where = None,
    fusion: Fusion = None,
    steps: Steps = None,
    aggregate: Aggregate = None,
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
    if run is None:
        refuse(context, {"aggregate": "--aggregate"}, "without --run the hits are chunks")
    asked = _Asked(k, where, fusion, steps)
    with Pipeline.open(index) as pipeline:
        if queries is not None:
            _batch(pipeline, queries, asked, run, aggregate, json)
        elif text is None:
            _converse(pipeline, asked, json)
        else:
            _answer(pipeline, _stdin() if text == "-" else text, asked, json)
        for doubt in pipeline.doubts():
            note(doubt)


class _Asked(NamedTuple):
    """How every query is to be searched, as `Pipeline.search` takes it after the query."""

    k: int
    where: str | None
    fusion: str | None
    steps: str | None


def _stdin() -> str:
    from ragembed.read.encoding import decode

    return decode(sys.stdin.buffer.read()).text.strip()


def _answer(pipeline: "Pipeline", text: str, asked: _Asked, json: bool) -> None:
    with _met(pipeline) as met:
        hits = pipeline.search(text, *asked)
    unknown = list(dict.fromkeys(word for each in met.values() for word in each.words))
    if unknown:
        note(f"no vector for: {', '.join(unknown)}")
    if json:
        told = {"unknown": unknown} if unknown else {}
        print_json({"query": text, **told, "hits": [_plain(hit) for hit in hits]})
    else:
        _print(pipeline, text, hits)


def _converse(pipeline: "Pipeline", asked: _Asked, json: bool) -> None:
    note("type a query; an empty line or Ctrl-D ends")
    while True:
        try:
            text = input("query> ").strip()
        except EOFError:
            return
        if not text:
            return
        try:
            _answer(pipeline, text, asked, json)
        except QueryError as error:
            note(f"error: {error}")


def _batch(
    pipeline: "Pipeline", path: Path, asked: _Asked, run: Path | None, aggregate: str | None, json: bool
) -> None:
    """Answer the queries of a file one after the other, so that memory holds only some of the answers."""
    from ragembed.datasets import read_queries

    texts = read_queries(path)
    if run is not None:
        hits = _write_run(pipeline, texts, asked, run, aggregate)
        if json:
            print_json({"queries": len(texts), "hits": hits, "run": str(run)})
        else:
            print(f"{len(texts)} queries, {hits} hits: {run}")
        return
    with _met(pipeline) as met, progress_bar("searching") as progress:
        answered = pipeline.search_each(texts.values(), *asked)
        for (identifier, text), found in zip(_watched(texts, progress), answered, strict=True):
            if json:
                print_json({"query_id": identifier, "query": text, "hits": [_plain(hit) for hit in found]})
            else:
                print(f"\n{identifier}: {text}")
                _print(pipeline, text, found)
    tell_coverage(met.values())


def _write_run(
    pipeline: "Pipeline", texts: dict[str, str], asked: _Asked, run: Path, aggregate: str | None
) -> int:
    """Write the documents found as they are found, and return how many; `run` is replaced when all are there."""
    from ragembed.eval.runs import check_queries, write_answers

    check_queries(texts)
    hits = 0

    def counted() -> Iterator[tuple[str, dict[str, float]]]:
        nonlocal hits
        answers = pipeline.documents_each(texts.values(), *asked, aggregate=aggregate)
        for (identifier, _), answer in zip(_watched(texts, progress), answers, strict=True):
            hits += len(answer)
            yield identifier, answer

    with _met(pipeline) as met, progress_bar("searching") as progress:
        write_answers(run, counted())
    tell_coverage(met.values())
    return hits


def _watched(
    texts: dict[str, str], progress: Callable[[int, int, str], None] | None
) -> Iterator[tuple[str, str]]:
    """The queries with their ids; `progress` is told after each."""
    for number, item in enumerate(texts.items(), 1):
        yield item
        if progress is not None:
            progress(number, len(texts), "")


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
        **(
            {"steps": {name: {"rank": r, "score": s} for name, (r, s) in hit.steps.items()}}
            if hit.steps
            else {}
        ),
        **({} if hit.probability is None else {"probability": hit.probability}),
        **({} if hit.context is None else {"context": _plain_context(hit.context)}),
        **({"stands_for": list(hit.stands_for)} if hit.stands_for else {}),
    }


def _plain_context(context: "Context") -> dict[str, Any]:
    return {
        "start": context.start,
        "end": context.end,
        "text": context.text,
        "gaps": [list(gap) for gap in context.gaps],
        "chunks": list(context.chunks),
    }


def _print(pipeline: "Pipeline", text: str, hits: "list[Hit]") -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not hits:
        console.print("no hits")
    for hit in hits:
        console.print(_heading(hit))
        passage = _passage(pipeline, text, hit.chunk.text)
        console.print(passage if hit.context is None else _in_context(hit.chunk, hit.context, passage))
        if hit.stands_for:
            console.print(_stands_for(hit.stands_for))
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
    if hit.probability is not None:
        heading.append(f"  {hit.probability:.0%}", "cyan")
    name = metadata.get("heading") or metadata.get("title")
    if name:
        heading.append(f"  {printable(str(name))}", "dim")
    return heading


def _in_context(chunk: "Chunk", context: "Context", passage: "Text") -> "Text":
    """The passage between what stands before and after it in its context, as much of each as of a passage."""
    from rich.text import Text

    before = context.text[: chunk.start - context.start]
    after = context.text[chunk.end - context.start :]
    text = Text("… " if len(before) > _SHOWN else "")
    text.append(printable(before[-_SHOWN:]), "dim")
    text.append_text(passage)
    return text.append(printable(after[:_SHOWN]) + (" …" if len(after) > _SHOWN else ""), "dim")


def _stands_for(ids: "tuple[str, ...]") -> "Text":
    from rich.text import Text

    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return Text(f"   stands for {', '.join(map(printable, ids[:_NAMED]))}{more}", "dim")


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
