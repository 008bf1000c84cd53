"""What the embedders that see a text as index terms share: an analyzer in the corpus's language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ragembed.analysis import ANALYZER_VERSION, Analyzer
from ragembed.analysis.languages import canonical_language
from ragembed.embed import probes
from ragembed.embed.base import Dense, Embedder
from ragembed.errors import SpecError

AUTO = "auto"
"""The language that the first documents turn out to be in."""


@dataclass(kw_only=True, eq=False)
class TermEmbedder(Embedder):
    """Makes vectors from the terms of an `Analyzer`. Subclasses set `name` and `kind`."""

    language: str = AUTO
    """A Snowball name or ISO code, ``none`` for neither stop words nor stemming, or ``auto``: see `adapt`."""

    def __post_init__(self) -> None:
        if self.language != AUTO:
            self.language = canonical_language(self.language)

    @cached_property
    def analyzer(self) -> Analyzer:
        """Text -> terms, in the language given or adapted to; English where neither happened."""
        return Analyzer("english" if self.language == AUTO else self.language)

    def adapt(self, sample: Sequence[str]) -> None:
        """Settle ``language=auto`` by detecting the sample's language."""
        if self.language == AUTO:
            from ragembed.analysis.detect import detect_language

            self.language = detect_language(sample)
            vars(self).pop("analyzer", None)

    def recorded_identity(self) -> dict[str, Any]:
        """The base's, and which analyzer made the terms."""
        return {**super().recorded_identity(), "analyzer": ANALYZER_VERSION}

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """With the terms of the probes; `thorough`: also those in scripts without spaces."""
        found = {
            **super().probe(thorough=thorough),
            "terms": [self.analyzer.terms(text) for text in (*probes.DOCUMENTS, *probes.QUERIES)],
        }
        if thorough:
            found["unspaced"] = [self.analyzer.terms(text) for text in probes.UNSPACED]
        return found

    def term_weights(self, text: str) -> tuple[list[str], Dense]:
        """The distinct terms of `text` in order of appearance, and 1 + ln(count) of each: ``(terms,)``."""
        counts = Counter(self.analyzer.terms(text))
        weights = np.fromiter(counts.values(), np.float32, len(counts))
        return list(counts), np.log(weights, out=weights) + np.float32(1)


def check_at_least_one(**values: int) -> None:
    """Raise `SpecError` for the first of `values` below 1."""
    for name, value in values.items():
        if value < 1:
            raise SpecError(f"{name} is {value}", f"give a {name} of at least 1")
