"""The ledger of an index."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.index_ledger import document_ledger, ledger_of
from ragembed.ledger import TokenLedger
from ragembed.tokens import tokenizer
from ragembed.types import Chunk

WORDS = tokenizer("words")
TEXT = "a b c d e f g h"  # token i begins at character 2 i


def chunk(start: int, end: int, context: str = "") -> Chunk:
    return Chunk(f"{start}", "doc", TEXT[start:end], start, end, {"context": context} if context else {})


def test_examples() -> None:
    halves = [chunk(0, 7), chunk(8, 15)]
    assert document_ledger(TEXT, halves, WORDS) == TokenLedger(8, 8)
    assert document_ledger(TEXT, halves, WORDS, limit=3) == TokenLedger(8, 6, 2)
    assert document_ledger(TEXT, [chunk(0, 7, "x y"), chunk(8, 15)], WORDS, limit=4) == TokenLedger(8, 6, 2)
    assert document_ledger(TEXT, [chunk(0, 7)], WORDS) == TokenLedger(8, 4, 0, 4)
    assert document_ledger(TEXT, [chunk(0, 7), chunk(4, 11)], WORDS) == TokenLedger(8, 6, 0, 2, repeated=2)
    assert document_ledger(TEXT, [chunk(0, 7), chunk(4, 11)], WORDS, limit=2) == TokenLedger(8, 4, 2, 2)
    assert document_ledger(TEXT, [], WORDS) == TokenLedger(8, 0, 0, 8)
    assert document_ledger("", [], WORDS) == TokenLedger()
    assert document_ledger(TEXT, [chunk(0, 7, "x y z u v")], WORDS, limit=4) == TokenLedger(8, 0, 4, 4)


@given(st.text(alphabet="ab ,\n", max_size=40), st.data())
def test_every_token_is_in_one_column(text: str, data: st.DataObject) -> None:
    at = st.integers(0, len(text))
    spans = [sorted(pair) for pair in data.draw(st.lists(st.tuples(at, at), max_size=5))]
    chunks = [Chunk("", "", text[a:b], a, b) for a, b in spans]
    limit = data.draw(st.one_of(st.none(), st.integers(0, 5)))
    ledger = document_ledger(text, chunks, WORDS, limit)
    starts = WORDS.starts(text).tolist()
    of_chunks = [[token for token, start in enumerate(starts) if a <= start < b] for a, b in spans]
    read = [tokens[:limit] for tokens in of_chunks]
    embedded, held = ({token for tokens in each for token in tokens} for each in (read, of_chunks))
    assert ledger == TokenLedger(
        len(starts),
        len(embedded),
        len(held - embedded),
        len(starts) - len(held),
        sum(map(len, read)) - len(embedded),
    )


def test_of_an_index(tmp_path: Path) -> None:
    """Three files, of which one changes and one goes, and a document of no file."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in "abc":
        (docs / f"{name}.txt").write_text(f"{name} " * 30)
    with Pipeline.create(tmp_path / "index", "bm25", "recursive(tokens=12, overlap=4)") as pipeline:
        pipeline.index(docs)
        pipeline.add([Document("alone", "nobody has its text")])
        found = ledger_of(pipeline)
        assert (found.documents, found.not_at_hand, found.tokenizer, found.worst) == (3, 1, "words", [])
        assert (found.total.tokens, found.total.embedded) == (90, 90)
        assert found.total.repeated > 0
        (docs / "a.txt").write_text("other words")
        (docs / "b.txt").unlink()
        found = ledger_of(pipeline)
        assert (found.documents, found.not_at_hand, found.total.tokens) == (1, 3, 30)
        assert found.to_json()["not_at_hand"] == 3
