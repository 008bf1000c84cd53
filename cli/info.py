"""ragembed info: what an index holds and how it was made."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.options import Json, note, print_json

if TYPE_CHECKING:
    from ragembed.index_ledger import IndexLedger
    from ragembed.pipeline import Pipeline


def info(
    index: Annotated[Path, typer.Argument(metavar="INDEX", readable=False, help="Folder of the index.")],
    tokens: Annotated[
        bool,
        typer.Option("--tokens", help="Count what became of the documents' tokens; reads the files again."),
    ] = False,
    json: Json = False,
) -> None:
    """Show what an index holds, who embedded it, and how large it is."""
    from ragembed.pipeline import Pipeline

    with Pipeline.open(index) as pipeline:
        found = pipeline.info()
        counted = _counted(pipeline) if tokens else None
    if counted is not None:
        found["tokens"] = counted.to_json()
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
    if "learnt" in found:
        _tell_learnt(found["learnt"])
    for one in found["accelerators"]:
        _tell_accelerator(one)
    print(f"{'segments':<12}{len(found['segments'])}, {found['dead_rows']} rows deleted")
    print(f"{'size':<12}{found['bytes'] / 1e6:.1f} MB")
    if counted is not None:
        _tell_tokens(counted)


def _counted(pipeline: "Pipeline") -> "IndexLedger":
    from ragembed.index_ledger import ledger_of

    return ledger_of(pipeline)


def _tell_accelerator(one: "dict[str, Any]") -> None:
    """How vectors are searched approximately, and what that finds."""
    found = ", ".join(f"{name} {recall:.3f}" for name, recall in one["recall"].items())
    print(
        f"{'accelerator':<12}{one['index_type']} over {one['rows']:,} rows, {one['delta_rows']:,} beside it;"
        f" {found or 'recall not measured'} of a target of {one['target_recall']:g}, by {one['measured_by']};"
        f" {one['memory'] / 1e6:.1f} MB, flat vectors {one['flat_bytes'] / 1e6:.1f} MB"
    )
    if one["warning"]:
        note(f"warning: {one['warning']}")


def _tell_tokens(counted: "IndexLedger") -> None:
    """The ledger of all documents, and of those that lose most."""
    print(f"{'tokens':<12}{counted.total} ({counted.documents} documents, counted by {counted.tokenizer})")
    for identifier, ledger in counted.worst:
        print(f"  {identifier}: {ledger}")
    if counted.not_at_hand:
        note(f"{counted.not_at_hand} documents are not counted: their text is not at hand as it was indexed")


def _tell_learnt(learnt: dict[str, Any]) -> None:
    """What labelled queries have taught the index, and how sure that is."""
    evidence = learnt["evidence"]
    print(f"{'learnt':<12}from {evidence.get('queries')} labelled queries, by {evidence.get('measure')}")
    if learnt["fusion"] is not None and (gain := evidence.get("gain")):
        print(
            f"{'fusion':<12}{learnt['fusion']} ({gain['difference']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
            " on held-out queries)"
        )
    elif evidence.get("gain"):
        print(f"{'fusion':<12}the default (no weights were better on held-out queries)")
    if (calibration := learnt["calibration"]) is not None:
        figures = calibration["evidence"]
        print(
            f"{'calibrated':<12}AUROC {figures['auroc']:.3f}, calibration error {figures['calibration_error']:.3f}"
        )


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
