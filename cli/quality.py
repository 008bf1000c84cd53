"""What `ragembed eval` does with a file: the embedding task that the file sets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import typer

from ragembed.cli.corpus import corpus_texts
from ragembed.cli.options import note, print_json, progress_bar, tell_coverage


def evaluate_file(
    path: Path,
    embedder: str,
    *,
    corpus: Sequence[str],
    unknown: str | None,
    vocabulary: str | None,
    json: bool,
) -> None:
    """Judge `embedder` by the file at `path` and print the result."""
    from ragembed.eval.quality.run import evaluate_quality

    with progress_bar("embedding") as progress:
        result = evaluate_quality(
            path,
            embedder,
            corpus=corpus_texts(corpus) if corpus else None,
            unknown=cast("Literal['skip', 'zero'] | None", unknown),
            vocabulary=_vocabulary(vocabulary),
            progress=progress,
        )
    found = result.to_json()
    if corpus and result.fitted_on is None:
        note(f"{result.embedder} learns nothing from texts: the corpus was not used")
    if result.truncated:
        note(f"{result.truncated} texts were longer than the embedder takes; their ends were cut off")
    if result.coverage is not None:
        tell_coverage([result.coverage])
    if left := result.found.total - result.found.covered:
        done = "scored 0" if result.unknown == "zero" and result.task != "bias" else "left out"
        note(f"{left} of {result.found.total} {result.found.unit} have something unknown to it; {done}")
    if json:
        print_json(found)
        return
    for line in _lines(found):
        print(line)


def _vocabulary(asked: str | None) -> list[str] | int | None:
    """The words in a file, or how many of the embedder's own."""
    from ragembed.errors import DatasetError
    from ragembed.lines import read_lines

    if asked is None:
        return None
    if asked.isdecimal():
        return int(asked)
    if not Path(asked).is_file():
        raise typer.BadParameter(
            f"--vocabulary is {asked!r}; give a file with a word on each line, or a number"
        )
    words = [line.strip() for _, line in read_lines(Path(asked)) if line.strip()]
    if not words:
        raise DatasetError(f"{asked} holds no words", "write one on each line")
    return words


def _lines(found: dict[str, Any]) -> Iterator[str]:
    unit = next(unit for unit in ("pairs", "questions", "words") if unit in found)
    seconds = "  ".join(f"{name} {value:.2f} s" for name, value in found["seconds"].items())
    counts = f"{found['covered']} of {found[unit]} {unit}"
    if "vocabulary" in found:
        counts += f", answered from {found['vocabulary']['words']} words of {found['vocabulary']['of']}"
    values = [] if "tests" in found else [_measure(found, name) for name in found["measures"]]
    yield "  ".join((found["dataset"], found["embedder"], *values, f"({counts}; {seconds})"))
    for section in found.get("sections", ()):
        shares = "  ".join(f"{name} {_number(section[name])}" for name in section if name.startswith("3Cos"))
        yield f"  {section['name']}  {shares}  ({section['covered']} of {section['questions']})"
    for test in found.get("tests", ()):
        p = "" if test["p"] is None else f"  p {test['p']:.2g}"
        used = ", ".join(f"{label} {known} of {given}" for label, (known, given) in test["used"].items())
        yield f"  {test['name']}  {test['method']}  d {_number(test['d'])}{p}  ({used})"


def _measure(found: dict[str, Any], name: str) -> str:
    ends = found["intervals"].get(name)
    interval = f" [{_number(ends[0])}, {_number(ends[1])}]" if ends else ""
    return f"{name} {_number(found['measures'][name])}{interval}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
