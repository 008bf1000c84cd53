"""ragembed neighbors: a word -> the words nearest to it; analogies."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.options import Json, note, print_json, printable

if TYPE_CHECKING:
    from ragembed.cli._columns import Column
    from ragembed.embed.words.explore.neighbors import Answer
    from ragembed.errors import RagembedError

_GAP = 4
"""Spaces between columns."""
_NOTHING = "(nothing is near)"


def neighbors(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORD...",
            help="A word, or words with signs between them in quotes: 'king - man + woman'; several are asked in turn.",
        ),
    ],
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="PATH",
            help="Word vectors, of any format that `words` reads; repeatable.",
        ),
    ] = None,
    index: Annotated[
        list[Path] | None,
        typer.Option(
            "-i",
            "--index",
            metavar="INDEX",
            readable=False,
            help="The embedder of an index, over the index's words; repeatable.",
        ),
    ] = None,
    embedder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC", help="Any embedder; with -i it learns from that index's texts; repeatable."
        ),
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Words that embedders answer from, one on each line."),
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            "--most", min=2, metavar="N", help="Words of an index that answer, most frequent first."
        ),
    ] = 20_000,
    k: Annotated[int, typer.Option("-k", "--top-k", min=1, help="How many words.")] = 10,
    method: Annotated[
        str, typer.Option(metavar="3cosadd|3cosmul", help="How the cosines with several words are joined.")
    ] = "3cosadd",
    json: Json = False,
) -> None:
    """Show the words nearest to a word, or to a sum of words; several embeddings side by side."""
    from ragembed.cli._columns import columns
    from ragembed.embed.words.explore.nearest import METHODS
    from ragembed.embed.words.explore.neighbors import parse_question
    from ragembed.errors import RagembedError

    if not (model or index or embedder):
        raise typer.BadParameter("give word vectors (--model), an index (-i) or an --embedder")
    if vocabulary is not None and not (index or embedder):
        raise typer.BadParameter("--vocabulary does nothing here: a --model answers from its own words")
    if method not in METHODS:
        raise typer.BadParameter(f"--method is {method!r}; valid are: {', '.join(METHODS)}")
    questions = [parse_question(text) for text in _joined(words)]
    compared = columns(model or (), index or (), embedder or (), vocabulary, most)
    told = []
    for question in questions:
        answers: list[Answer | RagembedError] = []
        for column in compared:
            try:
                answers.append(column.neighbors.ask(question, k, method))
            except RagembedError as error:
                answers.append(error)
        failed = [answer for answer in answers if isinstance(answer, RagembedError)]
        if len(failed) == len(answers):
            raise failed[0]
        if json:
            told.append(_plain(str(question), method, compared, answers))
        else:
            _print(str(question), compared, answers)
    if json:
        print_json({"questions": told})


def _joined(words: Sequence[str]) -> Iterator[str]:
    """The questions: ``king - man + woman`` without quotes comes as five arguments, and is one."""
    from ragembed.embed.words.explore.neighbors import SIGNS

    question: list[str] = []
    for word in words:
        if question and word not in SIGNS and question[-1] not in SIGNS:
            yield " ".join(question)
            question = []
        question.append(word)
    yield " ".join(question)


def _plain(
    question: str, method: str, compared: "Sequence[Column]", answers: "Sequence[Answer | RagembedError]"
) -> dict[str, Any]:
    from ragembed.errors import RagembedError

    told = []
    for column, answer in zip(compared, answers, strict=True):
        words, dimension = column.size
        of = {"source": column.source, "words": words, "dimension": dimension}
        if isinstance(answer, RagembedError):
            told.append({**of, "error": str(answer), "neighbors": []})
            continue
        told.append(
            {
                **of,
                "terms": [
                    {"word": term.word, "sign": term.sign, "found": term.found} for term in answer.terms
                ],
                "neighbors": [
                    {"rank": rank, "word": one.word, "score": one.score}
                    for rank, one in enumerate(answer.neighbors, 1)
                ],
            }
        )
    return {"question": question, "method": method, "columns": told}


def _print(question: str, compared: "Sequence[Column]", answers: "Sequence[Answer | RagembedError]") -> None:
    from rich.cells import cell_len, set_cell_size

    from ragembed.errors import RagembedError

    labels = [column.label for column in compared]
    blocks = []
    for column, answer in zip(compared, answers, strict=True):
        words, dimension = column.size
        label = column.label if labels.count(column.label) == 1 else column.source
        head = [printable(label), f"{words:,} words x {dimension:,}"]
        if isinstance(answer, RagembedError):
            note(f"{label}: {answer}")
            blocks.append([*head, "-"])
            continue
        for term in answer.terms:
            if term.found == "unseen":
                note(f"{label}: {term.word!r} is none of its words; the model made a vector for it")
        found = [(printable(one.word), f"{one.score:.4f}") for one in answer.neighbors]
        width = max((cell_len(word) for word, _ in found), default=0)
        lines = [f"{set_cell_size(word, width)}  {score}" for word, score in found]
        blocks.append([*head, *(lines or [_NOTHING])])
    print(printable(question))
    widths = [max(map(cell_len, block)) + _GAP for block in blocks]
    for line in range(max(map(len, blocks))):
        number = f"{line - 1:>3}" if line > 1 else "   "
        cells = [
            set_cell_size(block[line] if line < len(block) else "", width)
            for block, width in zip(blocks, widths, strict=True)
        ]
        print(f"{number}  {''.join(cells)}".rstrip())
