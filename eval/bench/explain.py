"""Injected faults, each in real documents: is the stage named that lost the document? And how long does it take?

Ten kinds of faults, 20 documents each. Where the fault can be taken away, it is first made sure that the document is
among the hits without it; so what loses it is the fault, and nothing else.

    python -m ragembed.eval.bench.explain [--cases 20] [--chunks 100000] [--without-model]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from ragembed.analysis import Analyzer
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.bench.stored import make, register, sentences
from ragembed.explain import Verdict
from ragembed.index.dense import DenseIndex
from ragembed.pipeline import Pipeline
from ragembed.read.base import ReadOptions
from ragembed.types import Document

K = 10
Case = tuple[bool | None, str]
"""Whether it was found without the fault (None: that cannot be tried), and the stage that was named with it."""


class Collection:
    """Documents of a BEIR folder, queries and judgements, and what makes a document's words rare."""

    def __init__(self, name: str) -> None:
        self.folder = SHARED / name
        self.documents = [
            Document(row["_id"], f"{row.get('title') or ''} {row['text']}".strip())
            for row in self._rows("corpus")
        ]
        self.queries = {row["_id"]: row["text"] for row in self._rows("queries")}
        self.analyzer = Analyzer("english")
        self.frequency = Counter(
            term for document in self.documents for term in set(self.analyzer.terms(document.text))
        )

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        with (self.folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def judged(self) -> Iterator[tuple[str, str]]:
        """Query and relevant document, in the order of the judgements."""
        with (self.folder / "qrels" / "test.tsv").open(encoding="utf-8") as lines:
            next(lines)
            for query, document, gain in (line.split("\t") for line in lines):
                if int(gain) > 0:
                    yield self.queries[query], document

    def query_for(self, text: str, words: int = 4, least: int = 2) -> str:
        """The rarest words of a text that stand in at least that many documents."""
        terms = {term: word for word in self.analyzer.words(text) for term in self.analyzer.word_terms(word)}
        rare = sorted((self.frequency[term], term) for term in terms if self.frequency[term] >= least)
        return " ".join(terms[term] for _, term in rare[:words])


def explained(pipeline: Pipeline, query: str, expected: str, where: str | None = None) -> Verdict:
    """The verdict on one document."""
    found = pipeline.explain(query, expected, K, where).expected
    assert found is not None
    return found


def finds(pipeline: Pipeline, query: str, document: str, where: str | None = None) -> bool:
    """Whether a document is among the hits."""
    return any(hit.chunk.document_id == document for hit in pipeline.search(query, K, where))


@contextmanager
def an_index(documents: Sequence[Document], embedder: str, chunker: str = "whole") -> Iterator[Pipeline]:
    """An index of documents, for a while."""
    with (
        tempfile.TemporaryDirectory() as place,
        Pipeline.create(Path(place) / "i", embedder, chunker) as pipeline,
    ):
        pipeline.add(documents)
        yield pipeline


@contextmanager
def a_folder(documents: Sequence[Document]) -> Iterator[Path]:
    """A folder with one text file for each document."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "docs"
        folder.mkdir()
        for document in documents:
            (folder / f"{document.id}.txt").write_text(document.text, encoding="utf-8")
        yield folder


HIDING: tuple[Callable[[Path, str], Path], ...] = (
    lambda folder, name: folder / f".{name}.txt",
    lambda folder, name: folder / "node_modules" / f"{name}.txt",
    lambda folder, name: folder / "drafts" / f"{name}.txt",
    lambda folder, name: folder / f"{name}.drawio",
    lambda folder, name: folder.parent / "elsewhere" / f"{name}.txt",
)
"""Where a sync does not read: hidden, a tool's folder, excluded by a pattern, unknown format, not below the folder."""


def not_read(collection: Collection, cases: int) -> Iterator[Case]:
    """Files where no sync looks."""
    chosen, rest = collection.documents[:cases], collection.documents[cases : cases + 300]
    with a_folder(rest) as folder:
        files = [HIDING[n % len(HIDING)](folder, document.id) for n, document in enumerate(chosen)]
        for file, document in zip(files, chosen, strict=True):
            file.parent.mkdir(exist_ok=True)
            file.write_text(document.text, encoding="utf-8")
        with Pipeline.create(folder.parent / "i") as pipeline:
            pipeline.index(folder, options=ReadOptions(exclude=("drafts/",)))
            verdicts = [
                explained(pipeline, collection.query_for(document.text), str(file))
                for file, document in zip(files, chosen, strict=True)
            ]
            names = [f"read-{document.id}" for document in chosen]
            for name, file, document in zip(names, files, chosen, strict=True):
                (folder / f"{name}.txt").write_text(f"{document.text}\n", encoding="utf-8")
                file.unlink()
            pipeline.index(folder)
            for name, document, verdict in zip(names, chosen, verdicts, strict=True):
                yield finds(pipeline, collection.query_for(document.text), f"docs/{name}.txt"), verdict.stage


def broken(source: Path, target: Path) -> None:
    """The first half of a file."""
    data = source.read_bytes()
    target.write_bytes(data[: len(data) // 2])


def failed_to_parse(collection: Collection, cases: int) -> Iterator[Case]:
    """Real files cut in half, a scanned PDF, broken JSON and a file of white space."""
    tree = SHARED / "docs_tree"
    real = [
        next(path for path in sorted(tree.rglob(f"*.{kind}"))) for kind in ("docx", "xlsx", "pptx", "ipynb")
    ]
    scanned = next(tree.rglob("non_text_searchable.pdf"))
    with a_folder(collection.documents[:100]) as folder:
        files = []
        for n in range(cases):
            kind = n % 7
            if kind < len(real):
                files.append(folder / f"broken{n}{real[kind].suffix}")
                broken(real[kind], files[-1])
            elif kind == 4:
                files.append(folder / f"scanned{n}.pdf")
                shutil.copyfile(scanned, files[-1])
            else:
                files.append(folder / (f"broken{n}.json" if kind == 5 else f"blank{n}.md"))
                files[-1].write_text('{"text": ' if kind == 5 else " \n\n", encoding="utf-8")
        with Pipeline.create(folder.parent / "i") as pipeline:
            pipeline.index(folder)
            for file in files:
                yield None, explained(pipeline, "what does the file say", f"docs/{file.name}").stage


def deleted(collection: Collection, cases: int) -> Iterator[Case]:
    """Documents that were deleted though their files are there."""
    with a_folder(collection.documents[:300]) as folder, Pipeline.create(folder.parent / "i") as pipeline:
        pipeline.index(folder)
        for document in collection.documents[:cases]:
            name, query = f"docs/{document.id}.txt", collection.query_for(document.text)
            before = finds(pipeline, query, name)
            pipeline.delete([name])
            yield before, explained(pipeline, query, name).stage


def filtered(collection: Collection, cases: int) -> Iterator[Case]:
    """Filters on what the document is, what it is not, what it lacks."""
    documents = [
        Document(one.id, one.text, {"year": 2000 + n % 20, "lang": "en"})
        for n, one in enumerate(collection.documents[:400])
    ]
    conditions = (
        "lang = 'de'",
        "year > {year} and lang = 'en'",
        "exists author",
        "_id != '{id}'",
        "not year = {year}",
    )
    with an_index(documents, "bm25") as pipeline:
        for n, document in enumerate(documents[:cases]):
            query = collection.query_for(document.text)
            where = conditions[n % len(conditions)].format(id=document.id, **document.metadata)
            yield finds(pipeline, query, document.id), explained(pipeline, query, document.id, where).stage


def truncated(collection: Collection, cases: int) -> Iterator[Case]:
    """What answers comes after 300 words of something else, and the transformer reads 256 tokens."""
    filler = collection.documents[200:320]
    passages = [document.text.split(". ")[0] for document in collection.documents[: 3 * cases]]
    wanted = list(islice((one for one in passages if 8 <= len(one.split()) <= 40), 2 * cases))
    words = [
        " ".join(" ".join(one.text for one in filler[n : n + 6]).split()[:300]) for n in range(len(wanted))
    ]
    alone = [Document(f"p{n}", passage) for n, passage in enumerate(wanted)]
    buried = [Document(f"p{n}", f"{words[n]}. {passage}.") for n, passage in enumerate(wanted)]
    given = 0
    with an_index([*filler, *alone], "minilm") as whole, an_index([*filler, *buried], "minilm") as cut:
        for n, passage in enumerate(wanted):
            if finds(whole, passage, f"p{n}") and not finds(cut, passage, f"p{n}"):
                yield True, explained(cut, passage, f"p{n}").stage
                given += 1
                if given == cases:
                    return


def split(collection: Collection, cases: int) -> Iterator[Case]:
    """What answers is cut in the middle: half of it ends one chunk, half of it begins the next."""
    size = 48
    rest = collection.documents[2000:4000]
    made: list[tuple[str, str, str]] = []
    for n, document in enumerate(collection.documents[:2000]):
        words = document.text.split()
        if len(words) < 40:
            continue
        fill = rest[n].text.split()
        halves = [" ".join([*fill[:24], *words[:20]]), " ".join([*words[20:40], *fill[24:48]])]
        held = [set(collection.analyzer.terms(half)) for half in halves]
        passage = " ".join(words[:40])
        asked_of = (" ".join(words[:20]), " ".join(words[20:40]))
        query = " ".join(collection.query_for(part, 2, 60) for part in asked_of)
        asked = set(collection.analyzer.terms(query))
        if asked & held[0] & held[1] or asked <= held[0] or asked <= held[1]:
            continue  # each half must have words that the other lacks
        made.append((query, passage, "\n\n".join(halves)))
    chunker = f"recursive(tokens={size}, overlap=0)"
    documents = [*rest, *(Document(f"p{n}", passage) for n, (_, passage, _) in enumerate(made))]
    given = 0
    with an_index(documents, "bm25", chunker) as pipeline:
        for n, (query, passage, parts) in enumerate(made):
            if not finds(pipeline, query, f"p{n}"):
                continue
            pipeline.upsert([Document(f"p{n}", parts)])
            if not finds(pipeline, query, f"p{n}"):
                yield True, explained(pipeline, query, f"p{n}").stage
                given += 1
            pipeline.upsert([Document(f"p{n}", passage)])
            if given == cases:
                return


def out_of_vocabulary(collection: Collection, cases: int) -> Iterator[Case]:
    """Queries in words that a document has not, and documents whose words an embedder has not learnt."""
    documents, other = collection.documents[:400], Collection("med").documents[:cases]
    with an_index(documents, "bm25") as pipeline:
        for document in documents[: cases // 2]:
            held = set(collection.analyzer.terms(document.text))
            foreign = next(
                one
                for one in documents
                if not held & set(collection.analyzer.terms(collection.query_for(one.text)))
            )
            query = collection.query_for(foreign.text)
            yield finds(pipeline, query, foreign.id), explained(pipeline, query, document.id).stage
    known = Counter(term for document in documents for term in set(collection.analyzer.terms(document.text)))
    chosen = []
    for document in other:
        words = [w for w in dict.fromkeys(collection.analyzer.words(document.text)) if len(w) > 4]
        new = [
            word for word in words if not any(known[term] for term in collection.analyzer.word_terms(word))
        ]
        if len(new) >= 3:
            chosen.append((Document(f"late{document.id}", document.text), " ".join(new[:3])))
    chosen = chosen[: cases - cases // 2]
    late = [document for document, _ in chosen]
    with an_index([*documents, *late], "lsa") as whole, an_index(documents, "lsa") as pipeline:
        pipeline.add(late)
        for document, query in chosen:
            yield finds(whole, query, document.id), explained(pipeline, query, document.id).stage


def outranked(collection: Collection, cases: int) -> Iterator[Case]:
    """Real questions whose judged answers BM25 ranks below the first ten, documents whole."""
    given = 0
    with an_index(collection.documents, "bm25") as pipeline:
        for query, document in collection.judged():
            ids = [hit.chunk.document_id for hit in pipeline.search(query, 1000)]
            if document in ids[K:]:
                verdict = explained(pipeline, query, document)
                yield verdict.rank == ids.index(document) + 1, verdict.stage  # with k as large, it is found
                given += 1
                if given == cases:
                    return


def diluted(collection: Collection, cases: int) -> Iterator[Case]:
    """Real questions whose judged answers one of two embedders has among its first ten, and both together have not."""
    given = 0
    with (
        an_index(collection.documents, "bm25+lsa") as both,
        an_index(collection.documents, "bm25") as words,
        an_index(collection.documents, "lsa") as meaning,
    ):
        for query, document in collection.judged():
            alone = finds(words, query, document) or finds(meaning, query, document)
            if alone and not finds(both, query, document):
                yield True, explained(both, query, document).stage
                given += 1
                if given == cases:
                    return


def lost_by_index(collection: Collection, cases: int) -> Iterator[Case]:
    """A search by vectors that misses a row, as an approximate one may."""
    search = DenseIndex.search_many
    documents = collection.documents[:1000]
    with an_index(documents, "lsa") as pipeline:
        for number, document in enumerate(documents[:cases], 1):
            query = collection.query_for(document.text)
            before = finds(pipeline, query, document.id)

            def lossy(
                self: DenseIndex, queries: Any, k: int, selection: Any = None, lost: int = number
            ) -> Any:
                found = search(self, queries, k + 1, selection)
                return [(rows[rows != lost][:k], scores[rows != lost][:k]) for rows, scores in found]

            DenseIndex.search_many = lossy  # type: ignore[method-assign]
            try:
                yield before, explained(pipeline, query, document.id).stage
            finally:
                DenseIndex.search_many = search  # type: ignore[method-assign]


FAULTS: dict[str, tuple[str, Callable[[Collection, int], Iterator[Case]]]] = {
    "not_read": ("scifact", not_read),
    "failed_to_parse": ("scifact", failed_to_parse),
    "deleted": ("scifact", deleted),
    "filtered": ("scifact", filtered),
    "lost_by_index": ("scifact", lost_by_index),
    "out_of_vocabulary": ("cranfield", out_of_vocabulary),
    "truncated": ("cranfield", truncated),
    "split": ("scifact", split),
    "diluted": ("cranfield", diluted),
    "outranked": ("cranfield", outranked),
}


def faults(cases: int, without_model: bool) -> None:
    """Print for each fault in how many cases its stage is named."""
    collections = {name: Collection(name) for name in ("scifact", "cranfield")}
    rows: list[tuple[object, ...]] = []
    for stage, (name, inject) in FAULTS.items():
        if without_model and stage == "truncated":
            continue
        found = list(inject(collections[name], cases))
        named = Counter(stage for _, stage in found)
        others = ", ".join(f"{count} {other}" for other, count in named.items() if other != stage)
        without = sum(bool(before) for before, _ in found) if found[0][0] is not None else "-"
        rows.append((stage, len(found), without, named[stage], others or "-"))
    table(("fault", "documents", "found without it", "stage named", "other stages"), rows)


def speed(chunks: int) -> None:
    """Print how long an explanation with an expected document takes in an index of that many chunks."""
    register()
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, chunks, 20)
        documents = [Document(f"d{n}", f"{n} {text}", {"n": n}) for n, text in enumerate(sentences(chunks))]
        queries = [f"?{n} {' '.join(text.split()[:5])}" for n, text in enumerate(sentences(20, seed=9))]
        for name, spec in (
            ("bm25", "bm25(language=none)"),
            ("vectors", f"stored:{folder}"),
            ("both", f"bm25(language=none)+stored:{folder}"),
        ):
            with Pipeline.create(folder / name, spec, "whole") as pipeline:
                pipeline.add(documents)
                pipeline.search(queries[0], K)
                for where in (None, f"n < {chunks // 2}"):
                    wall, cpu = [], []
                    for number, query in enumerate(queries):
                        started, computed = time.perf_counter(), time.process_time()
                        pipeline.explain(query, f"d{number * 97}", K, where)
                        wall.append(time.perf_counter() - started)
                        cpu.append(time.process_time() - computed)
                    middle = (1e3 * statistics.median(times) for times in (wall, cpu))
                    rows.append((name, where or "-", *middle, 1e3 * max(wall), 1e3 * max(cpu)))
    table(("index", "filter", "p50 ms", "p50 ms of CPU", "longest ms", "longest ms of CPU"), rows)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--without-model", action="store_true", help="leave out what takes a transformer")
    options = parser.parse_args()
    print(machine("numpy", "faiss-cpu"), "\n")
    faults(options.cases, options.without_model)
    print(f"{options.chunks:,} chunks\n")
    speed(options.chunks)


if __name__ == "__main__":
    main()
