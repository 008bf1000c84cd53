from __future__ import annotations

import pytest

from ragembed.chunk import CHUNKERS
from ragembed.errors import SpecError
from ragembed.types import Document

SIZED = [name for name in CHUNKERS.names() if name != "whole"]


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("tokens=0", "has tokens=0; give at least 1"),
        ("overlap=-1", "has overlap=-1; give 0 or more"),
        ("tokens=40", r"overlap=32, more than half of tokens=40; .*at most 20: \w+\(tokens=40, overlap=5\)"),
    ],
)
def test_sizes_that_make_no_sense(name: str, parameters: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        CHUNKERS.create(f"{name}({parameters})")


def test_unknown_tokenizer() -> None:
    chunker = CHUNKERS.create("recursive(tokenizer=wrds)")
    with pytest.raises(SpecError, match="unknown tokenizer 'wrds'; valid are: words, characters, minilm"):
        list(chunker.chunk(Document("d", "one two")))


def test_auto_counts_words() -> None:
    document = Document("d", "Some words. " * 100)
    for name in SIZED:
        auto = CHUNKERS.create(f"{name}(tokens=20, overlap=4)").spans(document)
        words = CHUNKERS.create(f"{name}(tokens=20, overlap=4, tokenizer=words)").spans(document)
        assert list(auto) == list(words)


def test_whole_has_no_size() -> None:
    with pytest.raises(SpecError, match="chunker whole has no parameter 'tokens'"):
        CHUNKERS.create("whole(tokens=4)")
