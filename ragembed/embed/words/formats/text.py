"""Text: word2vec's and fastText's ``.vec`` (a first line with the number of words and dimensions), GloVe's (none)."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from ragembed.embed.words.formats import rows_compiled
from ragembed.embed.words.formats.collect import Collector, Found
from ragembed.embed.words.formats.npy import Store
from ragembed.embed.words.formats.rows import Parse, Parsed, parse_block, trailing_numbers
from ragembed.embed.words.formats.source import LONGEST_LINE, Source
from ragembed.errors import EmbeddingError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"[ \t]*([0-9]{1,18})[ \t]+([0-9]{1,9})[ \t\r]*\n")
_SAMPLE = 1 << 16
_SAMPLED_LINES = 1000
_COMPILE_FROM = 1 << 26
"""Bytes from which the compiled parser is worth what it takes to load, and once to compile."""
_WORKERS = 2
_AHEAD = 3
"""Blocks read before the first of them is needed."""
_MISSING = 100
"""One word in so many that a header promises may be missing."""


def header_of(source: Source) -> tuple[int, int] | None:
    """The number of words and dimensions that the first line promises; None where it is no header."""
    found = _HEADER.match(source.peek(_SAMPLE).removeprefix(BYTE_ORDER_MARK)[:200])
    return (int(found[1]), int(found[2])) if found else None


def dimension_of(source: Source) -> int | None:
    """How many numbers most of the first lines have after their word; None where most have none."""
    size = _SAMPLE
    sample = source.peek(size)
    while b"\n" not in sample and len(sample) == size:
        if size >= LONGEST_LINE:
            return None
        size *= 16
        sample = source.peek(size)
    lines = sample.split(b"\n")
    if len(sample) == size and len(lines) > 1:
        lines.pop()  # it goes on
    counts = Counter(trailing_numbers(line) for line in lines[:_SAMPLED_LINES] if line.strip())
    if not counts:
        return None
    most = max(counts.values())
    return min(size for size, lines_of_it in counts.items() if lines_of_it == most) or None


def read_text(source: Source, store: Store, limit: int | None = None) -> Found:
    """All words of a text file, or the first `limit`."""
    header = header_of(source)
    if source.peek(3) == BYTE_ORDER_MARK:
        source.read(3)
    if header:
        source.read(source.peek(_SAMPLE).index(b"\n") + 1)
    dimension = header[1] if header else dimension_of(source)
    if dimension is None:
        raise EmbeddingError(
            f"{source.path} holds no word vectors: its lines are no words with numbers",
            "name a file of word vectors",
        )
    collector = Collector(source.path, store, dimension, limit)
    before = 1 if header else 0
    for parsed in _parsed(source, dimension, before):
        _take(collector, parsed, before)
        before += parsed.lines
        if collector.full or collector.hopeless:
            break
    ended = collector.rows and not (collector.full or collector.hopeless)
    warnings = _against_header(collector, header[0]) if header and ended else {}
    return collector.finish({"format": _name(source, header is not None), "warnings": warnings})


def _name(source: Source, header: bool) -> str:
    name = source.path.name.lower().removesuffix(".gz")
    if not header:
        return "GloVe text"
    return "fastText text" if name.endswith(".vec") else "word2vec text"


def _take(collector: Collector, parsed: Parsed, before: int) -> None:
    collector.count(parsed.lines - sum(odd.kind == "blank_lines" for odd in parsed.odd))
    for odd in parsed.odd:
        collector.odd(odd.kind, f"line {before + odd.line + 1}: {odd.why}")
    collector.add(parsed.words, parsed.vectors, [before + number + 1 for number in parsed.numbers])


def _parsed(source: Source, dimension: int, before: int) -> Iterator[Parsed]:
    """Every block of `source`, parsed ahead of its use where that can be done beside reading."""
    large = (source.left or len(source.peek(_COMPILE_FROM))) >= _COMPILE_FROM
    if not (large and rows_compiled.ready()):
        yield from (parse_block(block, dimension) for block in source.lines(before))
        return
    parse: Parse = rows_compiled.parse_block_compiled
    waiting: deque[Future[Parsed]] = deque()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for block in source.lines(before):
            waiting.append(pool.submit(parse, block, dimension))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _against_header(collector: Collector, promised: int) -> dict[str, int]:
    there = collector.lines
    if there > promised:
        return {"more_than_header": there - promised}
    missing = promised - there
    if missing * _MISSING > promised:
        raise EmbeddingError(
            f"{collector.path}: its first line promises {promised} words, {there} lines follow",
            "fetch the file again, or correct its first line",
        )
    return {"fewer_than_header": missing} if missing else {}
