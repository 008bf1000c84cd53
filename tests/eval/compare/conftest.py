"""A collection small enough to score by hand: four documents, three queries, where their answers stand."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ragembed.types import Document, Qrels, Span, SpanTruth

TEXTS = {
    "pears": "Pears ripen off the tree. Keep pears in a cool room.",
    "plums": "Plums are stone fruit. A plum tree wants sun.",
    "figs": "Figs grow in warm places. Dry figs keep for a year.",
    "rain": "Rain fills the river. The river runs to the sea.",
}


@dataclass(frozen=True)
class Tiny:
    name: str = "tiny"
    split: str = "test"
    documents: list[Document] = field(default_factory=lambda: [Document(*item) for item in TEXTS.items()])
    queries: dict[str, str] = field(
        default_factory=lambda: {"q1": "cool room", "q2": "stone fruit tree", "q3": "sun and warm places"}
    )
    qrels: Qrels = field(
        default_factory=lambda: {
            "q1": {"pears": 1},
            "q2": {"plums": 2, "pears": 0},
            "q3": {"figs": 1, "plums": 1},
        }
    )
    spans: SpanTruth = field(
        default_factory=lambda: {
            "q1": [Span("pears", 26, 52)],
            "q2": [Span("plums", 0, 22)],
            "q3": [Span("plums", 23, 45), Span("figs", 0, 25)],
        }
    )


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()
