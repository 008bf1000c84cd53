"""Who embedded an index: what is recorded of its embedders, and how that is compared when it is opened.

Three checks, in the order of what they cost:

1. `check_recorded`, before any weights are loaded: spec, hashes of weights, tokenizer and settings, prompts,
   pooling, normalisation, precision. It reads files and imports no model library.
2. `load_learnt`, where the index keeps what an embedder learnt: the files are those that were written.
3. `check_behaviour`, once the embedder can embed: all of its identity, and the probes, which find what no
   file tells, such as a library that now computes something else.

Only what was recorded is compared. Indexes of format 1 recorded less, and no probes (`has_probes`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ragembed.embed import probes
from ragembed.errors import CorruptError, EmbeddingError, IdentityError

if TYPE_CHECKING:
    from ragembed.config import EmbedderRecord
    from ragembed.embed.base import Embedder

_APART = frozenset({"probes", "made_with", "learnt_from"})
"""Keys that are not compared for equality."""
_LABELS = {
    "state": "weights",
    "kind": "kind of vectors",
    "modules": "modules",
    "normalized": "normalised",
    "max_sequence": "most tokens",
    "analyzer": "version of the analyzer",
    "tokenizer": "tokenizer",
    "settings": "settings in",
    "prompts": "prompt of a",
}
_BRING_BACK = "bring back what it was made with, or index again: ragembed index PATH... -o NEW_INDEX"
_RESTORE = "bring the index back from a copy, or index again: ragembed index PATH... -o NEW_INDEX"
_HEX = frozenset("0123456789abcdef")


@runtime_checkable
class ReadsModel(Protocol):
    """An embedder whose model may lie outside the index, which records which it is and does not copy it."""

    @property
    def path(self) -> str | None:
        """Where; None or empty where it learns from the index's texts alone."""
        ...


def record(embedder: Embedder) -> dict[str, Any]:
    """All that an index records of an embedder: its identity, its ``probes``, and what it was ``made_with``."""
    identity = {
        **embedder.identity(),
        "made_with": embedder.made_with(),
        **({"learnt_from": learnt_from} if (learnt_from := embedder.learnt_from()) else {}),
        "probes": {"version": probes.VERSION, **embedder.probe()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def has_probes(identity: Mapping[str, Any]) -> bool:
    """Whether probes were recorded; where not, nobody can tell whether the embedder still behaves as it did."""
    return bool(identity.get("probes"))


def differences(
    recorded: Mapping[str, Any], now: Mapping[str, Any], may_differ: Collection[str] = ()
) -> list[str]:
    """What of `recorded` is otherwise `now`, as ``NAME BEFORE | AFTER``; what `recorded` lacks is no difference.

    Probes are compared with the tolerance of `ragembed.embed.probes` for the precisions of both; what an embedder was
    made with, and the keys in `may_differ`, are not compared at all.
    """
    found: list[str] = []
    plain: dict[str, Any] = json.loads(json.dumps(dict(now)))
    for key, before in recorded.items():
        if key not in _APART and key not in may_differ and before != plain.get(key):
            label = _LABELS.get(key, key)
            found += [f"{label}{part} {a} | {b}" for part, a, b in _sides(before, plain.get(key))]
    if has_probes(recorded) and "probes" in plain:
        exact = all(side.get("precision", "float32") == "float32" for side in (recorded, plain))
        tolerance = probes.TOLERANCE if exact else probes.ROUNDED
        found += probes.differences(recorded["probes"], plain["probes"], tolerance)
    return found


def check_recorded(record: EmbedderRecord, embedder: Embedder, where: Path) -> None:
    """Raise `IdentityError` where what can be told without loading a model differs from what `where` recorded."""
    try:
        now = embedder.recorded_identity()
    except EmbeddingError as error:
        if (model := _model(embedder)) is None:
            raise
        raise _unusable(model, error, where) from error
    if record.folder is not None:
        now.pop("state", None)  # learnt, and read by `load_learnt`
    told = {key: value for key, value in record.identity.items() if key in now}
    _refuse(told, now, record, where, embedder)


def check_model(record: EmbedderRecord, embedder: Embedder, where: Path) -> None:
    """`check_recorded` of an embedder whose model lies outside the index in `where`, and every byte of word vectors.

    Raises `IdentityError` where the model is gone, damaged or another one; nothing is asked of other embedders.
    """
    if (model := _model(embedder)) is None:
        return
    from ragembed.embed.words.formats.folder import is_folder_of_words, verify_folder

    check_recorded(record, embedder, where)
    try:
        if is_folder_of_words(model):
            verify_folder(model)
    except EmbeddingError as error:
        raise _unusable(model, error, where) from error


def load_learnt(record: EmbedderRecord, embedder: Embedder, where: Path) -> None:
    """Have an embedder read what it learnt for the index in `where`; nothing for one that learns nothing.

    Raises `CorruptError` where the files cannot be read, or are not those that were recorded.
    """
    if record.folder is None:
        return
    folder = where / record.folder
    try:
        embedder.load_state(folder)
    except EmbeddingError as error:
        raise CorruptError(f"what {record.spec} learnt is lost: {error.fault}", _RESTORE) from error
    before, now = record.identity.get("state"), embedder.state_hash()
    if before is not None and before != now:
        raise CorruptError(
            f"the files in {folder} are damaged or of another index: recorded was {_shown(before)},"
            f" found is {_shown(now)}",
            _RESTORE,
        )


def reopen(record: EmbedderRecord, embedder: Embedder, where: Path) -> None:
    """`check_recorded`, then `load_learnt`: make a new embedder the one that the index in `where` was made by."""
    check_recorded(record, embedder, where)
    load_learnt(record, embedder, where)


def embedder_of(record: EmbedderRecord, where: Path) -> Embedder:
    """A new embedder that is the one of the index in `where`, after all three checks."""
    from ragembed.embed import EMBEDDERS

    embedder = EMBEDDERS.create(record.spec)
    reopen(record, embedder, where)
    check_behaviour(record, embedder, where)
    return embedder


def check_behaviour(
    record: EmbedderRecord, embedder: Embedder, where: Path, *, thorough: bool = True
) -> None:
    """Raise `IdentityError` where an embedder is or does anything else than when it made the index in `where`.

    Loads the model. Without `thorough`, lexical embedders are spared the scripts written without spaces, whose
    patterns take 10 ms to compile: for a single query in a new process. Raises `CorruptError` where the recorded
    probes cannot be read.
    """
    now = embedder.identity()
    if has_probes(record.identity):
        now["probes"] = {"version": probes.VERSION, **embedder.probe(thorough=thorough)}
    _refuse(record.identity, now, record, where, embedder, loaded=True)
    if record.dimension is not None and embedder.dimension != record.dimension:
        raise IdentityError(
            f"{where} has vectors of {record.dimension} dimensions, {record.spec} gives {embedder.dimension}",
            _BRING_BACK,
        )


def _refuse(
    recorded: Mapping[str, Any],
    now: Mapping[str, Any],
    record: EmbedderRecord,
    where: Path,
    embedder: Embedder,
    *,
    loaded: bool = False,
) -> None:
    try:
        found = differences(recorded, now, embedder.may_differ)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        fault = f"what {where} recorded of {record.spec} cannot be read ({error})"
        raise CorruptError(fault, _RESTORE) from error
    if not found:
        return
    made_with, loaded_with = recorded.get("made_with"), embedder.made_with() if loaded else None
    if made_with and loaded_with and made_with != loaded_with:
        found += [f"with{name} {a} | {b}" for name, a, b in _sides(made_with, loaded_with)]
    fault = f"{where} was made with another {record.spec} than is here (then | now): {', '.join(found)}"
    model = _model(embedder)
    raise IdentityError(fault.replace("\n", " "), _BRING_BACK if model is None else _put_back(model))


def _model(embedder: Embedder) -> Path | None:
    """Where the model of `embedder` lies outside the index; None where it has none."""
    path = embedder.path if isinstance(embedder, ReadsModel) else None
    return Path(path).expanduser() if path else None


def _unusable(model: Path, error: EmbeddingError, where: Path) -> IdentityError:
    return IdentityError(
        f"{where} needs the model {model}, which cannot be used: {error.fault}", _put_back(model)
    )


def _put_back(model: Path) -> str:
    return f"put the model that made it back at {model}, or index again: ragembed index PATH... -o NEW_INDEX"


def _sides(before: Any, now: Any) -> Iterator[tuple[str, str, str]]:
    """Which part of two values differs, and both sides of it; the part is empty where the whole does."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        yield "", _shown(before), _shown(now)
        return
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield f" {key}", _shown(before.get(key)), _shown(now.get(key))


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value[:12] if len(value) == 64 and _HEX.issuperset(value) else repr(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else json.dumps(value, ensure_ascii=False)
