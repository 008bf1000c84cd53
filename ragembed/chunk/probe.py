"""What a chunker makes of a few fixed documents, as one hash: another version that cuts otherwise is told by it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from ragembed.chunk.base import Chunker
from ragembed.types import Document

_GUIDE = """\
Setting up the pump

Read this first. The pump (model B-7, made by Dr. A. Smith et al.) needs 230 V, e.g. from a wall socket; it must \
not be started dry! Is the tank full? Then go on.

# Installation

Unpack all parts and lay them on a flat surface. There are three hoses, two clamps and a bag of seals, i.e. \
everything but tools.

## Tools

- a spanner of 13 mm
- a screwdriver; the one with the red handle is too large for the screws of the lid, which wear out quickly
- 2.5 m of rope

| part | count | where it goes |
|------|-------|---------------|
| hose | 3     | tank to pump, pump to filter, filter to tap |
| seal | 12    | between any two of the above |

## First start

```sh
# no heading, a comment
pump --prime --seconds 30
pump --start && pump --status
```

Wait until the light is green. If it stays red after a minute, the reason is nearly always one of these: air in the \
first hose, a seal that sits askew, a tank that is lower than the pump by more than four metres, or a filter that has \
been put in the wrong way round, which is easily done because its arrow is printed on the inside of the housing where \
nobody can see it once the lid is on.\r
\r
A line that ends in the way of Windows.\r

# Care

Rinse it once a year. See https://example.org/pumps/b7/manual?section=care&language=en#rinsing-the-filter-housing

### Storage

Keep it dry, and above 5 °C.
"""

_WORLD = """\
東京は日本の首都です。人口は約千四百万人です！「本当ですか？」と彼は言った。川は海に流れる。

Приклад: це речення коротке. А це речення трохи довше, бо в ньому більше слів, ніж у першому.

ภาษาไทยไม่มีช่องว่างระหว่างคำ และประโยคก็ยาวได้มาก

اللُّغَة العربية جميلة؟ نعم، إنها كذلك. 👩‍👩‍👧 e\u0301a\u0308
"""

_CODE = '''\
"""A module."""

import os


@decorated
def first(name: str, times: int = 3) -> list[str]:
    """Repeat a name."""
    # why: the caller wants a list
    found = []
    for number in range(times):
        found.append(f"{name} {number}")

    return found


class Tank:
    level = 0

    def fill(self, litres: float) -> None:
        if litres < 0:
            raise ValueError("less than nothing")
        self.level += litres

    def empty(self) -> None:
        self.level = 0


if __name__ == "__main__":
    print(first(os.name))
'''

_DOCUMENTS = (
    Document("guide", _GUIDE, {"first_line": 4, "pages": [0, 700]}),
    Document("headed", _GUIDE, {"headings": [[0, 1, "Setting up"], [_GUIDE.index("There are"), 2, "Parts"]]}),
    Document("world", _WORLD),
    Document("code.py", _CODE, {"language": "python"}),
)
_TOKENS, _OVERLAP = 40, 8
"""A size besides the chunker's own, so that few and short documents hold many cuts."""


def chunker_probe(chunker: Chunker) -> str:
    """sha256 over the chunks of fixed documents: their spans and what they tell of their place and context.

    Another chunker or tokenizer, or another version of the same, gives another hash as soon as one of some forty
    cuts differs. The spec is not in it: two sizes that cut these documents alike have one hash, and so has a
    tokenizer that was moved. Takes about a millisecond, and for a tokenizer from a file the time to load it.
    """
    digest = hashlib.sha256()
    for one in (chunker, _smaller(chunker)):
        for document in _DOCUMENTS:
            chunks = [(chunk.start, chunk.end, dict(chunk.metadata)) for chunk in one.chunk(document)]
            digest.update(json.dumps(chunks, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _smaller(chunker: Chunker) -> Chunker:
    """`chunker` with chunks of `_TOKENS` at most; itself where it has no size."""
    tokens, overlap = getattr(chunker, "tokens", None), getattr(chunker, "overlap", None)
    if type(tokens) is not int or type(overlap) is not int:
        return chunker
    sizes: dict[str, Any] = {"tokens": min(tokens, _TOKENS), "overlap": min(overlap, _OVERLAP)}
    return dataclasses.replace(chunker, **sizes)  # type: ignore[type-var]  # every chunker is a dataclass
