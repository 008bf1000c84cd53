"""ragembed embed: lines of text -> a matrix."""

import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from ragembed.cli.options import Json, note, print_json, tell_coverage
from ragembed.errors import ReadError, SpecError


def embed(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Text file with one text per line; '-' is stdin.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help=".npy (dense) or .npz (sparse).")
    ],
    embedder: Annotated[str, typer.Option(metavar="SPEC", help="Which embedder.")],
    queries: Annotated[bool, typer.Option("--queries", help="Embed as queries, not as documents.")] = False,
    json: Json = False,
) -> None:
    """Embed one text per line. Embedders that learn are fitted on the same lines."""
    import numpy as np

    from ragembed.embed import EMBEDDERS
    from ragembed.read.encoding import decode

    maker = EMBEDDERS.create(embedder)
    wanted = ".npz" if maker.kind == "sparse" else ".npy"
    if output.suffix != wanted:
        raise SpecError(
            f"{embedder} gives {maker.kind} vectors, {output} is no {wanted} file", f"name a {wanted} file"
        )
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    text = decode(data).text.removesuffix("\n")
    texts = [line.removesuffix("\r") for line in text.split("\n")] if text else []
    if not texts:
        raise ReadError(f"{file} is empty", "write one text per line")
    maker.adapt(texts[:1000])
    if maker.learns or maker.kind == "sparse":
        maker.fit(texts)
    vectors = maker.embed_queries(texts) if queries else maker.embed_documents(texts)
    if maker.kind == "sparse":
        from scipy.sparse import save_npz

        save_npz(output, vectors)
    else:
        np.save(output, cast("np.ndarray", vectors), allow_pickle=False)
    cut = maker.truncation
    if cut.texts:
        note(f"{cut.texts} texts were longer than the embedder takes; {cut.tokens} tokens were cut off")
    coverage = maker.coverage
    if coverage is not None:
        tell_coverage([coverage])
    rows, dimension = len(texts), maker.dimension
    report = {
        "texts": rows,
        "dimension": dimension,
        "embedder": str(maker.spec),
        "truncated": cut.texts,
        **({} if coverage is None else {"coverage": coverage.to_json()}),
        "output": str(output),
    }
    if json:
        print_json(report)
    else:
        print(f"{rows} x {dimension} ({maker.kind}, {maker.spec}): {output}")
