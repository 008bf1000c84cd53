"""ragembed info: what an index holds and how it was made."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ragembed.cli.options import Json, print_json


def info(
    index: Annotated[Path, typer.Argument(metavar="INDEX", readable=False, help="Folder of the index.")],
    json: Json = False,
) -> None:
    """Show what an index holds, who embedded it, and how large it is."""
    from ragembed.pipeline import Pipeline

    with Pipeline.open(index) as pipeline:
        found = pipeline.info()
    if json:
        print_json(found)
        return
    for key in ("index", "documents", "chunks", "files", "embedder", "chunker", "index_type"):
        print(f"{key:<12}{found[key]}")
    for record in found["embedders"]:
        shape = "postings" if record["dimension"] is None else f"{record['dimension']} dimensions"
        print(f"{'settled':<12}{record['spec']} ({shape})")
        print(f"{'identity':<12}{_identity(record['identity'])}")
        if learnt := record["identity"].get("learnt_from"):
            print(
                f"{'learnt from':<12}{learnt['tokens']:,} tokens, {learnt['unknown']:,} of them without a vector"
            )
    print(f"{'segments':<12}{len(found['segments'])}, {found['dead_rows']} rows deleted")
    print(f"{'size':<12}{found['bytes'] / 1e6:.1f} MB")


def _identity(identity: dict[str, Any]) -> str:
    """What the index recorded of an embedder, hashes cut short."""
    from ragembed.embed.identity import has_probes

    shown = []
    for key, value in identity.items():
        if key not in ("spec", "kind", "probes", "made_with", "learnt_from") and value not in (None, {}, []):
            text = value[:12] if isinstance(value, str) and len(value) == 64 else value
            shown.append(f"{key} {text}")
    shown.append("probes recorded" if has_probes(identity) else "no probes recorded")
    return ", ".join(shown)
