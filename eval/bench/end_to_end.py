"""From a folder of documentation to an index with MiniLM: `ragembed index` against the usual stack, LangChain's.

Theirs: RecursiveCharacterTextSplitter, HuggingFaceEmbeddings, and the FAISS store, saved to disk. Ours: the recursive
chunker, `minilm` and an index. The same model folder, chunks of the same number of characters, and the same texts:
both get what our readers make of the files, from one JSONL file, since LangChain reads each format with another
package. Each run is a process of its own, from start to exit, in turns. The class for embeddings is that of
langchain-community: langchain-huggingface wants an older huggingface-hub than transformers 5.

Where chunks are longer than MiniLM's 256 tokens, theirs cuts them off, and ours reads on in a second window; with
``--options long=truncate`` both do the same.

    python -m ragembed.eval.bench.end_to_end [--folder FOLDER] [--documents 300] [--repeat 3]
        [--options precision=auto,long=truncate]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ragembed.eval.bench.harness import SHARED, machine, table

CHARACTERS = 1000
"""Of a chunk."""
OVERLAP = 100


def write_texts(folder: str, path: Path, most: int) -> tuple[int, int]:
    """The texts of the files below `folder`, evenly chosen, as JSONL; how many, and their characters."""
    from ragembed.read import Failure, read_files

    texts = [item.text for item in read_files([folder]) if not isinstance(item, Failure)]
    chosen = texts[:: max(1, len(texts) // most)][:most]
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(chosen):
            file.write(json.dumps({"_id": str(number), "text": text}) + "\n")
    return len(chosen), sum(map(len, chosen))


def ours(path: str, output: str, options: str) -> int:
    """Index `path`; how many chunks there are."""
    from ragembed.pipeline import Pipeline

    chunker = f"recursive(tokens={CHARACTERS}, overlap={OVERLAP}, tokenizer=characters)"
    with Pipeline.create(output, f"minilm({options})", chunker) as pipeline:
        return pipeline.index(path).chunks


def theirs(path: str, output: str, options: str) -> int:
    """The same by LangChain."""
    from langchain_community.embeddings import HuggingFaceEmbeddings
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    from ragembed.embed.minilm import find_minilm

    with Path(path).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    documents = [Document(page_content=row["text"], metadata={"id": row["_id"]}) for row in rows]
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=OVERLAP)
    chunks = splitter.split_documents(documents)
    embeddings = HuggingFaceEmbeddings(
        model_name=str(find_minilm()),
        model_kwargs={"device": "cpu"},
        encode_kwargs={"normalize_embeddings": True},
    )
    FAISS.from_documents(chunks, embeddings).save_local(output)
    return len(chunks)


SIDES: Mapping[str, Callable[[str, str, str], int]] = {"ragembed": ours, "LangChain": theirs}


def measured(side: str, path: Path, options: str) -> dict[str, float]:
    """Seconds by the clock on the wall and of the processor, peak MB and chunks of a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        command = [
            sys.executable,
            __file__,
            "--once",
            side,
            "--texts",
            str(path),
            "--output",
            f"{place}/index",
        ]
        started = time.perf_counter()
        told, child = _run([*command, "--options", options])
        seconds = time.perf_counter() - started
    work = child.ru_utime + child.ru_stime
    return {"wall": seconds, "processor": work, "peak": child.ru_maxrss / 1024, "chunks": float(told)}


def _run(command: Sequence[str]) -> tuple[str, resource.struct_rusage]:
    """What a process prints last, and what it used."""
    reader, writer = os.pipe()
    child = os.posix_spawn(
        command[0], list(command), os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)]
    )
    os.close(writer)
    with os.fdopen(reader) as file:
        printed = file.read().split()
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return printed[-1], used


def main() -> None:
    """Run both in turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=str(SHARED / "docs_tree"))
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--options", default="precision=auto", help="of minilm")
    parser.add_argument("--once", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--texts", help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        warnings.simplefilter("ignore")
        print(SIDES[options.once](options.texts, options.output, options.options))
        return
    if find_spec("langchain_community") is None:
        print("langchain-community is not installed: pip install 'ragembed[bench]'")
        return
    print(machine("torch", "sentence-transformers", "langchain-community", "langchain-text-splitters"), "\n")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "texts.jsonl"
        documents, characters = write_texts(options.folder, path, options.documents)
        print(
            f"{documents} documents, {characters / 1e6:.1f} million characters; minilm({options.options})\n"
        )
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(options.repeat):
            for side, found in runs.items():
                found.append(measured(side, path, options.options))
    middle = {
        side: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for side, found in runs.items()
    }
    rows: list[Sequence[object]] = [
        (side, int(each["chunks"]), each["wall"], each["processor"], f"{each['peak']:.0f}")
        for side, each in middle.items()
    ]
    a, b = middle["LangChain"], middle["ragembed"]
    rows.append(("ratio", "", *(f"{a[key] / b[key]:.2f}x" for key in ("wall", "processor", "peak"))))
    table(("", "chunks", "s", "processor s", "peak MB"), rows)


if __name__ == "__main__":
    main()
