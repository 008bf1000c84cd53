"""The order in which trec_eval sees a run, and what of it the measures look at.

trec_eval takes no notice of the ranks in a run. It sorts by score, in float32 (scores that differ by less are
tied), and puts tied documents in descending order of their ids as UTF-8 bytes, which is the order of code
points.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ragembed.errors import DatasetError


@dataclass(slots=True)
class Answer:
    """How one query was answered: all that the measures need to know."""

    found: list[tuple[int, int]]
    """``(rank, gain)`` of the retrieved documents with a gain above 0, by rank; ranks start at 1."""
    ideal: list[int]
    """The gains above 0 that the query's judgements hold, descending."""


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Documents from the best to the worst, in trec_eval's order."""
    pairs = sorted(zip(array("f", scores.values()), scores, strict=True), reverse=True)
    return [document for _, document in pairs]


def answer(judged: Mapping[str, int], scores: Mapping[str, float]) -> Answer:
    """Place the relevant documents of one query among its `scores`, as `ranked` would.

    A relevant document's rank follows from the sorted scores alone; ids are compared only among those tied
    with one.
    """
    ideal = [gain for gain in judged.values() if gain > 0]
    ideal.sort(reverse=True)
    relevant = [document for document in judged if document in scores and judged[document] > 0]
    if not relevant:
        return Answer([], ideal)
    every = array("f", scores.values())
    ascending = sorted(every)
    count = len(ascending)
    found: list[tuple[int, int]] = []
    tied: dict[float, int] = {}  # score -> rank of the first document that has it
    for document, score in zip(relevant, array("f", map(scores.__getitem__, relevant)), strict=True):
        end = bisect_right(ascending, score)
        if end - bisect_left(ascending, score) == 1:
            found.append((count - end + 1, judged[document]))
        else:
            tied[score] = count - end + 1
    if tied:
        found += _found_among(tied, zip(every, scores, strict=True), judged)
    found.sort()
    return Answer(found, ideal)


def _found_among(
    tied: Mapping[float, int], pairs: Iterable[tuple[float, str]], judged: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    groups: dict[float, list[str]] = {score: [] for score in tied}
    for score, document in pairs:
        if score in groups:
            groups[score].append(document)
    for score, group in groups.items():
        group.sort(reverse=True)
        for rank, document in enumerate(group, tied[score]):
            if (gain := judged.get(document, 0)) > 0:
                yield rank, gain


def check_scores(query: str, scores: Mapping[str, float]) -> None:
    """Raise `DatasetError` where a score is NaN, which has no place in an order."""
    if (total := sum(scores.values())) == total:
        return
    for document, score in scores.items():  # the sum is NaN for inf - inf too
        if score != score:
            raise DatasetError(
                f"document {document!r} of query {query!r} has the score NaN", "correct what scored it"
            )
