"""The probe of a chunker: the same for the same, another for whatever cuts otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest

from ragembed.chunk import CHUNKERS, Chunker, Span
from ragembed.chunk.probe import chunker_probe
from ragembed.chunk.whole import Whole
from ragembed.types import Document

KNOWN = {
    "whole": "de621fbef6a9",
    "fixed": "8903694768ea",
    "sentence": "0738962d7a81",
    "recursive": "6916229a1377",
    "markdown": "217d51badd65",
    "code": "f333ec3d004d",
}
"""The first digits for each chunker as it is made by default. One that comes out otherwise cuts otherwise: then an
index made before is not what this version would make, which belongs into the changelog, and the new hash in here."""


def probe(spec: str) -> str:
    return chunker_probe(CHUNKERS.create(spec))


@pytest.mark.parametrize("name", sorted(CHUNKERS.entries))
def test_chunkers_cut_as_they_did(name: str) -> None:
    assert probe(name)[:12] == KNOWN[name]


def test_another_process_gives_the_same() -> None:
    code = (
        "import json; from ragembed.chunk import CHUNKERS; from ragembed.chunk.probe import chunker_probe;"
        "print(json.dumps({n: chunker_probe(CHUNKERS.create(n))[:12] for n in CHUNKERS.entries}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == KNOWN


@pytest.mark.parametrize(
    "other",
    [
        "recursive(tokens=64)",
        "recursive(tokens=1000)",
        "recursive(overlap=0)",
        "recursive(tokenizer=characters)",
        "markdown",
        "whole",
    ],
)
def test_another_chunker_has_another_probe(other: str) -> None:
    assert probe(other) != probe("recursive")
    assert probe("recursive(tokenizer=words)") == probe("recursive")  # what auto means without an embedder


@dataclass
class Shifted(Whole):
    """Cuts the first character off: as another version of a chunker would, under the same spec."""

    name: ClassVar[str] = "whole"

    def spans(self, document: Document) -> list[Span]:
        return [(start + 1, end) for start, end in super().spans(document)]


def test_another_version_of_a_chunker_has_another_probe() -> None:
    shifted: Chunker = Shifted()
    assert shifted.spec == Whole().spec
    assert chunker_probe(shifted) != chunker_probe(Whole())


def test_what_is_told_beside_the_text_counts() -> None:
    class Contextual(Whole):
        def context(self, path: object) -> str:
            return "Manual"

    assert chunker_probe(Contextual()) != chunker_probe(Whole())


@pytest.mark.parametrize(
    "spec", ["recursive(tokens=1, overlap=0)", "fixed(tokens=2, overlap=1)", "code(tokens=50000)"]
)
def test_any_size_has_a_probe(spec: str) -> None:
    assert len(probe(spec)) == 64
