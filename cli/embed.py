"""ragembed embed: lines of text -> a matrix."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli._progress import embedding
from ragembed.cli.options import Json, note, print_json, tell_coverage
from ragembed.errors import ReadError, SpecError

if TYPE_CHECKING:
    from ragembed.embed import Embedder

_AT_ONCE = 4096
"""Texts that are embedded together where all of them are in memory."""


def embed(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Text file with one text per line; '-' is stdin.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help=".npy or .parquet (dense), .npz (sparse).")
    ],
    embedder: Annotated[str, typer.Option(metavar="SPEC", help="Which embedder.")],
    queries: Annotated[bool, typer.Option("--queries", help="Embed as queries, not as documents.")] = False,
    kind: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="float32, float16, int8 or binary (a bit a number).")
    ] = "float32",
    json: Json = False,
) -> None:
    """Embed one text per line. Embedders that learn are fitted on the same lines; for others, any number of lines is
    read and written as it comes, in little memory."""
    from ragembed.embed import EMBEDDERS
    from ragembed.embed.quantized import check_type

    maker = EMBEDDERS.create(embedder)
    if maker.kind == "multi":
        raise SpecError(
            f"{embedder} gives a vector for each token, which no file of one vector a line can hold",
            "index with it, or use its tokens() from Python",
        )
    wanted = (".npz",) if maker.kind == "sparse" else (".npy", ".parquet")
    if output.suffix not in wanted:
        raise SpecError(
            f"{embedder} gives {maker.kind} vectors, {output} is no {' or '.join(wanted)} file",
            f"name a {' or '.join(wanted)} file",
        )
    check_type(kind)
    if maker.kind == "sparse" and kind != "float32":
        raise SpecError(f"{embedder} gives sparse vectors, which are float32", "leave --type out")
    blocks, total = _lines(file)
    try:
        rows = _write(maker, blocks, total, output, queries=queries, kind=kind, name=file)
    except KeyboardInterrupt:
        note(f"{output} was not written")
        raise
    _tell(maker, rows, output, kind, json=json)


def _lines(file: str) -> tuple[Iterator[list[str]], int | None]:
    """Blocks of lines, and how many lines there are where that can be told."""
    from ragembed.read.line_blocks import blocks_of_file, blocks_of_stream, survey

    path = Path(file)
    if file == "-":
        return blocks_of_stream(sys.stdin.buffer, "stdin"), None
    if not path.is_file():  # a pipe, or an error to be told by opening it
        return blocks_of_stream(path.open("rb"), file), None
    found = survey(path)
    return blocks_of_file(path, found), found.lines if found.streams else None


def _write(
    maker: "Embedder",
    blocks: Iterator[list[str]],
    total: int | None,
    output: Path,
    *,
    queries: bool,
    kind: str,
    name: str,
) -> int:
    """Embed `blocks` into `output`; how many lines they had."""
    first = next(blocks, [])
    if not first:
        raise ReadError(f"{'stdin' if name == '-' else name} is empty", "write one text per line")
    maker.adapt(first[:1000])
    blocks = chain([first], blocks)
    if maker.learns or maker.kind == "sparse":
        texts = [text for block in blocks for text in block]
        maker.fit(texts)
        if maker.kind == "sparse":
            _write_sparse(maker, texts, output, queries=queries)
            return len(texts)
        total = len(texts)
        blocks = (texts[start : start + _AT_ONCE] for start in range(0, total, _AT_ONCE))
    return _write_dense(maker, blocks, total, output, queries=queries, kind=kind)


def _write_dense(
    maker: "Embedder",
    blocks: Iterable[list[str]],
    total: int | None,
    output: Path,
    *,
    queries: bool,
    kind: str,
) -> int:
    from ragembed.embed.base import checked_vectors
    from ragembed.embed.quantized import quantized
    from ragembed.exchange.vector_files import vector_file

    told = {"ragembed.embedder": str(maker.spec), "ragembed.type": kind}
    done = 0
    with vector_file(output, told) as rows, embedding(total) as progress:
        for texts in blocks:
            rows.add(quantized(checked_vectors(maker, texts, queries=queries), kind))
            done += len(texts)
            progress(done)
    return done


def _write_sparse(maker: "Embedder", texts: list[str], output: Path, *, queries: bool) -> None:
    from scipy.sparse import save_npz

    from ragembed.exchange.vector_files import replacing_file

    vectors = maker.embed_queries(texts) if queries else maker.embed_documents(texts)
    with replacing_file(output) as file:
        save_npz(file, vectors)


def _tell(maker: "Embedder", rows: int, output: Path, kind: str, *, json: bool) -> None:
    cut, coverage = maker.truncation, maker.coverage
    if cut.texts:
        note(f"{cut.texts} texts were longer than the embedder takes; {cut.tokens} tokens were cut off")
    ledger = maker.ledger
    if ledger is not None and (ledger.lost or ledger.repeated):
        note(str(ledger))
    if coverage is not None:
        tell_coverage([coverage])
    report = {
        "texts": rows,
        "dimension": maker.dimension,
        "embedder": str(maker.spec),
        "truncated": cut.texts,
        **({} if coverage is None else {"coverage": coverage.to_json()}),
        **({} if ledger is None else {"tokens": ledger.to_json()}),
        **({} if maker.kind == "sparse" else {"type": kind}),
        "output": str(output),
    }
    if json:
        print_json(report)
    else:
        shown = maker.kind if kind == "float32" else f"{maker.kind}, {kind}"
        print(f"{rows} x {maker.dimension} ({shown}, {maker.spec}): {output}")
