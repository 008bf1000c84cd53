"""The words of one passage that answered: what ``ragembed explain --tokens`` prints and writes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ragembed.cli.options import note, print_json, printable, refuse

if TYPE_CHECKING:
    from ragembed.explain.tokens import Compared, TokenExplanation

_WORDS = 10
"""Words of the passage that are listed."""
_WORD = 32
"""Characters of a word that are shown in the list."""
_SHOWN = 600
"""Characters of the passage that are shown."""


def tell_tokens(
    context: typer.Context,
    query: str,
    index: Path | None,
    expected: str | None,
    where: str | None,
    fusion: str | None,
    passage: str | None,
    embedder: str,
    output: Path | None,
    json: bool,
) -> None:
    """Look at one passage of an index, or at a text that is given, and print or write which words answered."""
    if index is None:
        if passage is None:
            raise typer.BadParameter("--tokens needs an index (-i INDEX) or a text (--passage TEXT)")
        refuse(context, _OF_INDEX, "it needs an index (-i INDEX)")
        asked, compared = None, _compare(query, passage, embedder)
    else:
        refuse(context, {"passage": "--passage", "embedder": "--embedder"}, "the passage is one of the index")
        from ragembed.pipeline import Pipeline

        with Pipeline.open(index) as pipeline:
            asked = pipeline.explain_tokens(query, expected, where, fusion)
        compared = asked.compared
    if output is not None:
        from ragembed.eval.tokens import write_tokens

        write_tokens(output, compared, "" if asked is None else _title(asked))
    if json:
        told: dict[str, Any] = compared.as_json() if asked is None else asked.as_json()
        print_json({"view": None if output is None else str(output), **told})
        return
    _print(compared, asked)
    if output is not None:
        print(output)


_OF_INDEX = {"expected": "--expected", "where": "--where", "fusion": "--fusion"}


def _compare(query: str, passage: str, spec: str) -> "Compared":
    from ragembed.embed import EMBEDDERS
    from ragembed.explain.tokens import compare

    return compare(EMBEDDERS.create(spec), query, passage)


def _title(asked: "TokenExplanation") -> str:
    heading = asked.chunk.metadata.get("heading") or asked.chunk.metadata.get("title") or ""
    return f"{asked.chunk.id}  {heading}".strip()


def _print(compared: "Compared", asked: "TokenExplanation | None") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if asked is not None:
        place = "" if asked.rank is None else f"rank {asked.rank} in {compared.embedder.partition('(')[0]}"
        console.print(Text.assemble((printable(_title(asked)), "bold green"), (f"  {place}", "dim")))
    best = compared.best_words(_WORDS)
    console.print(_shaded(compared, {(word.start, word.end) for word, _ in best}))
    told = "" if asked is None or asked.indexed is None else f"  ({asked.indexed:.4f} by the index's vectors)"
    console.print(Text.assemble(("score ", "dim"), (f"{compared.score:.4f}", "cyan"), (told, "dim")))
    similarity, words = compared.word_similarity, compared.passage.words
    plain = [place for place, word in enumerate(compared.query.words) if not word.special]
    rows = []
    for word, value in best:
        column = similarity[plain, words.index(word)]
        nearest = compared.query.words[plain[int(column.argmax())]]
        share = f"{value / compared.score:.1%}" if compared.score > 0 else ""
        adds = (f"{value:+.4f}", share) if compared.shares is not None else ("", "")
        rows.append((_named(word.text), *adds, f"{column.max():.2f} like {_named(nearest.text)!r}"))
    wide = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for text, added, share, like in rows:
        line = Text(f"  {text:<{wide[0]}}", "yellow")
        line.append(f"  {added:>{wide[1]}}  {share:>{wide[2]}}  " if wide[1] else "  ", "")
        line.append(like, "dim")
        console.print(line)
    if compared.note:
        note(compared.note)
    for side, reading in (("query", compared.query), ("passage", compared.passage)):
        if reading.left_out:
            note(f"{reading.left_out:,} tokens of the {side} behind the first are not looked at")


def _shaded(compared: "Compared", best: set[tuple[int, int]]) -> Any:
    """The passage with the words that answered."""
    from rich.text import Text

    text = compared.passage.text
    line = Text()
    at = 0
    for start, end in sorted(best):
        if end > _SHOWN:
            break
        line.append(_flat(text[at:start]))
        line.append(_flat(text[start:end]), "bold yellow")
        at = end
    line.append(_flat(text[at:_SHOWN]) + ("…" if len(text) > _SHOWN else ""))
    return line


def _named(text: str) -> str:
    text = _flat(text)
    return text if len(text) <= _WORD else f"{text[: _WORD - 1]}…"


def _flat(text: str) -> str:
    return printable(text).replace("\n", " ").replace("\t", " ")
