"""ragembed explain: why hits have their scores, where an expected document was lost, which words answered."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import Json, Steps, Where, note, print_json, printable, refuse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ragembed.explain import Contribution, ExplainedHit, Explanation, List, Part, Step, Verdict

_TERMS = 6
"""Terms of a score that are shown."""
_PIECES = 3
"""Pieces of a passage that are shown."""
_PIECE = 80
"""Characters of such a piece."""
_TOKENS = "Word by word"


def explain(
    context: typer.Context,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What was searched.")],
    index: Annotated[
        Path | None,
        typer.Option("-i", "--index", metavar="INDEX", readable=False, help="Folder of the index."),
    ] = None,
    expected: Annotated[
        list[str] | None,
        typer.Option(metavar="DOC", help="A document that should be found: its id, a chunk's id, or a file."),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--top-k", min=1, help="How many hits.")] = 10,
    where: Where = None,
    fusion: Annotated[
        str | None, typer.Option(metavar="SPEC", help="How lists are joined, as in ragembed query.")
    ] = None,
    steps: Steps = None,
    tokens: Annotated[
        bool,
        typer.Option(
            "--tokens",
            help="Which words of the first hit, or of --expected, answered (minilm, hf:).",
            rich_help_panel=_TOKENS,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="VIEW.html",
            help="Draw these words, their similarities and the attention as a page.",
            rich_help_panel=_TOKENS,
        ),
    ] = None,
    passage: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="This text instead of one of an index.", rich_help_panel=_TOKENS),
    ] = None,
    embedder: Annotated[
        str,
        typer.Option(metavar="SPEC", help="For --passage without an index.", rich_help_panel=_TOKENS),
    ] = "minilm",
    json: Json = False,
) -> None:
    """Show what makes the score of each hit, and at which stage an expected document was lost."""
    from ragembed.pipeline import Pipeline

    if expected is not None and len(expected) > 1:
        raise typer.BadParameter(
            f"--expected was given {len(expected)} times; ask for one document at a time"
        )
    if tokens or passage is not None:
        from ragembed.cli._tokens import tell_tokens

        looks = "--tokens looks at one passage, that of the first hit or of --expected"
        refuse(context, {"k": "-k", "steps": "--steps"}, looks)
        wanted = expected[0] if expected else None
        tell_tokens(context, query, index, wanted, where, fusion, passage, embedder, output, json)
        return
    refuse(context, {"output": "-o", "embedder": "--embedder"}, "it goes with --tokens")
    if index is None:
        raise typer.BadParameter(
            "give the folder of the index (-i INDEX), or with --tokens a text (--passage TEXT)"
        )
    with Pipeline.open(index) as pipeline:
        found = pipeline.explain(query, expected[0] if expected else None, k, where, fusion, steps)
    if json:
        print_json(found.as_json())
    else:
        _print(found)


def _print(found: "Explanation") -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if found.expected is not None:
        _print_verdict(console, found.expected)
    for seen in found.lists:
        if seen.words is not None:
            console.print(_words(seen, found.chunks))
    console.print()
    if not found.hits:
        console.print("no hits")
    width = max((len(_name(seen.embedder)) for seen in found.lists), default=0)
    for hit in found.hits:
        _print_hit(console, hit, found, width)
    if any(part.method == "leave_one_out" for hit in found.hits for part in hit.parts):
        note("a piece's share is what the score loses without it; such shares need not sum up to the score")


def _print_verdict(console: "Console", verdict: "Verdict") -> None:
    from rich.text import Text

    good = verdict.stage == "found"
    stage = verdict.stage + (
        f" ({verdict.reason})" if verdict.reason and verdict.reason != verdict.stage else ""
    )
    console.print(Text.assemble(("expected  ", "dim"), (printable(verdict.asked), "bold")))
    console.print(
        Text.assemble(("stage     ", "dim"), (stage.replace("_", " "), "bold green" if good else "bold red"))
    )
    for label, text in (
        ("why", verdict.message),
        ("remedy", verdict.remedy),
        *(("note", n) for n in verdict.notes),
    ):
        if text:
            console.print(Text.assemble((f"{label:<10}", "dim"), printable(text)))
    for line in _table(verdict.steps):
        console.print(line)
    console.print()


def _table(steps: "tuple[Step, ...]") -> "list[Text]":
    """The steps in columns."""
    from rich.text import Text

    if not steps:
        return []
    rows = [("step", "rank", "of", "score", "")]
    for step in steps:
        name = (
            f"{'after' if step.step == 'step' else step.step.replace('_', ' ')} {step.embedder or ''}".strip()
        )
        rank, score = str(step.rank or "-"), "-" if step.score is None else f"{step.score:.4g}"
        rows.append((name, rank, f"{step.of:,}", score, printable(step.chunk or "")))
    wide = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for number, (name, rank, of, score, chunk) in enumerate(rows):
        line = f"  {name:<{wide[0]}}  {rank:>{wide[1]}}  {of:>{wide[2]}}  {score:>{wide[3]}}  {chunk}"
        passed = number == 0 or steps[number - 1].passed
        lines.append(Text(line.rstrip(), "dim" if number == 0 else "" if passed else "red"))
    return lines


def _words(seen: "List", chunks: int) -> "Text":
    """The query's words as one embedder takes them, with the number of chunks that hold them."""
    from rich.text import Text

    line = Text.assemble((f"{_name(seen.embedder)}: ", "dim"))
    facts = {term.term: term for term in seen.terms or ()}
    dropped = [word.word for word in seen.words or () if word.stop_word]
    shown: set[str] = set()
    for word in seen.words or ():
        for term in word.terms:
            if term in shown:
                continue
            shown.add(term)
            fact = facts[term]
            line.append(", " if len(shown) > 1 else "")
            line.append(
                printable(word.word if word.word.casefold() == term else f"{word.word} → {term}"), "bold"
            )
            if not fact.known:
                line.append(" unknown", "red")
            elif fact.frequency is not None:
                line.append(f" in {fact.frequency:,} of {chunks:,}", "dim")
    if dropped:
        words = ", ".join(dict.fromkeys(dropped))
        line.append(f"{'; ' if shown else ''}stop words: {printable(words)}", "dim")
    return line


def _print_hit(console: "Console", hit: "ExplainedHit", found: "Explanation", width: int) -> None:
    from rich.text import Text

    heading = hit.chunk.metadata.get("heading") or hit.chunk.metadata.get("title") or ""
    console.print(
        Text.assemble(
            (f"{hit.rank}. ", "bold"),
            (f"{hit.score:.4g}  ", "cyan"),
            (printable(hit.chunk.id), "bold green"),
            (f"  {printable(str(heading))}" if heading else "", "dim"),
        )
    )
    if found.steps is not None:
        console.print(Text(f"   {_trail(hit)}"))
    for part in hit.parts:
        line = Text("   ")
        if len(found.lists) > 1:
            line.append(f"{_name(part.embedder):<{width}}  ", "dim")
            line.append(f"rank {part.rank}, adds {part.share:.4f}; score {part.score:.4g}")
        else:
            line.append(f"{part.score:.4g}")
        if part.method == "terms":
            line.append_text(_sum(part))
        elif part.method == "none":
            line.append(f"  ({part.note})", "dim")
        console.print(line)
        if part.method == "leave_one_out":
            for one in part.contributions[:_PIECES]:
                console.print(Text.assemble(f"      {one.score:+.4f}  ", (_what(one), "yellow")))


def _trail(hit: "ExplainedHit") -> str:
    """Where the hit was before the steps, and after each of them."""
    ranks = [f"rank {hit.first_rank}" if hit.first_rank else "not in the first list"]
    ranks += [f"{rank} after {printable(name)}" for name, (rank, _) in hit.steps.items()]
    stands = f"; stands for {len(hit.stands_for)} more" if hit.stands_for else ""
    return ", ".join(ranks) + stands


def _sum(part: "Part") -> "Text":
    """A score as the sum of its contributions, the largest first."""
    from rich.text import Text

    text = Text(" = ")
    largest = sorted(part.contributions, key=lambda one: -abs(one.score))
    for number, one in enumerate(largest[:_TERMS]):
        text.append(" + " if number else "")
        text.append(_what(one), "bold yellow")
        text.append(f" {one.score:.4g}" + (f" (x{one.count})" if one.count and one.count > 1 else ""))
    left = largest[_TERMS:]
    if left:
        text.append(f" and {len(left)} more {sum(one.score for one in left):+.4g}", "dim")
    if part.length is not None and part.average_length:
        text.append(f"  [{part.length} terms, {part.average_length:.0f} on average]", "dim")
    return text


def _what(one: "Contribution") -> str:
    text = " ".join(printable(one.what).split())
    return text if len(text) <= _PIECE else f"{text[: _PIECE - 1]}…"


def _name(embedder: str) -> str:
    """The embedder's name without its parameters, which fill a line."""
    return embedder.partition("(")[0]
