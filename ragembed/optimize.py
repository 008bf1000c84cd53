"""Choosing how an index is searched, by measuring.

Exact search stays where it is fast enough and fits into the memory: nothing is faster to build, nor finds more. Else
every type is built over a sample of the vectors and set to the target recall; what a search and a row take there says
what they will take with all rows. The best is then built over all of them and measured again, by queries that nothing
was learnt from; where it does not hold, the next one is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.accelerate import TARGET, Kept, drop_all
from ragembed.embed.base import Dense, checked_vectors
from ragembed.errors import QueryError
from ragembed.index.ann import ANN_TYPES, AnnType
from ragembed.index.ann.accelerator import DEPTHS
from ragembed.index.ann.build import Progress, build, size_of
from ragembed.index.ann.measure import Probes, latency, probes_of, tune
from ragembed.index.ann.told import ROW_BYTES
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline

FAST_ENOUGH = 0.01
"""Seconds for one query up to which exact search stays where no latency is asked for: to embed it takes as long."""
CANDIDATES = ("sq8", "ivf_sq8", "ivfpq(width=2)", "ivfpq", "ivfpq(width=8)", "rabitq", "binary", "hnsw_sq8")
"""Types that are tried. Others can be asked for; where vectors are scored again, these do the same in less memory."""
_SAMPLE = 10_000
_SAMPLE_PROBES = 150
_TRIES = 3
"""Types that are built over all rows, at most."""
_ALIKE = 1.2
"""Of types within this factor of the fastest the smallest is taken."""
_MOST_QUERIES = 1000
_DEPTH = DEPTHS[0]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a type does, measured on a sample and reckoned for all rows, or measured on all rows."""

    index_type: str
    recall: float
    seconds: float
    memory: int
    settings: str
    whole: bool
    """Whether it was built over all rows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one embedder, and why."""

    embedder: str
    index_type: str
    reason: str
    rows: int
    recall: dict[str, float]
    seconds: float
    exact_seconds: float
    memory: int
    flat_bytes: int
    probes: str
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Optimized:
    """What `optimize` did, for each dense embedder."""

    target_recall: float
    choices: tuple[Choice, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(slots=True)
class _Wishes:
    target: float
    memory: int | None
    latency: float | None
    kind: AnnType | None
    queries: Sequence[str] | None
    notes: list[str] = field(default_factory=list)


def optimize(
    pipeline: Pipeline,
    target_recall: float | None,
    memory: int | None,
    latency: float | None,
    queries: Sequence[str] | None,
    index_type: str | None,
    progress: Progress | None,
) -> Optimized:
    """See `ragembed.pipeline.Pipeline.optimize`."""
    target = TARGET if target_recall is None else target_recall
    if not 0 < target <= 1:
        raise QueryError(f"the target recall is {target:g}", "give a share above 0 and up to 1, such as 0.95")
    for what, value in (("memory", memory), ("latency", latency)):
        if value is not None and not value > 0:
            raise QueryError(f"the target {what} is {value}", "give more than nothing")
    kind = None if index_type is None else ANN_TYPES.create(index_type)
    if queries is not None:
        queries = list(dict.fromkeys(query for query in queries if query.strip()))[:_MOST_QUERIES]
        if not queries:
            raise QueryError("there are no queries to measure by", "give a file with some, or none at all")
    wishes = _Wishes(target, memory, latency, kind, queries)
    with pipeline.store.writing() as writer:
        config = pipeline._makers.refresh()
        dense = [(n, e) for n, e in enumerate(config.embedders) if e.kind == "dense" and e.dimension]
        if kind is not None and kind.exact:
            drop_all(writer, "flat")
            pipeline._makers.refresh()
            return Optimized(1.0, (), ("every search is exact again",))
        if not dense:
            raise QueryError(
                f"{pipeline.store.folder} has no embedder of one vector a chunk: it has {config.embedder}"
                if config.embedders
                else f"{pipeline.store.folder} is empty",
                "all others are searched exactly" if config.embedders else "index something first",
            )
        pipeline._makers.check(thorough=False)
        embedders = pipeline._makers.load()
        choices = []
        for number, record in dense:
            assert record.dimension is not None
            kept = Kept(writer, number, record.dimension)
            vectors = None
            if queries is not None:
                vectors = np.asarray(checked_vectors(embedders[number], queries, queries=True), np.float32)
                vectors = vectors[vectors.any(axis=1)]
                if not len(vectors):
                    raise QueryError(
                        f"{record.spec} gives no vector to any of the queries",
                        "give queries of words it knows",
                    )
            choices.append(_choose(kept, record.spec, vectors, wishes, progress, len(dense) == 1))
        pipeline._makers.refresh()
        writer.sweep()
    return Optimized(target, tuple(choices), tuple(wishes.notes))


def _choose(
    kept: Kept, embedder: str, vectors: Dense | None, wishes: _Wishes, progress: Progress | None, alone: bool
) -> Choice:
    own = np.zeros(0, np.int64) if vectors is not None else kept.own_probes()
    said = f"{len(vectors)} queries that were given" if vectors is not None else f"{len(own)} chunks held out"
    if vectors is None and not len(own):
        if wishes.kind is not None:
            raise QueryError(
                f"{embedder} has {len(kept.live)} chunks, too few to measure anything by",
                "index more, or give queries",
            )
        return _stays(kept, embedder, 0.0, "there are too few chunks to measure by", said, alone)
    probes = kept.probes(vectors, own)
    exact = kept.exact
    slow = latency(lambda query: exact.search_many(query, _DEPTH + 1), probes.vectors[:20])
    flat = 4 * kept.dimension * len(kept.live)
    allowed = wishes.latency if wishes.latency is not None else FAST_ENOUGH
    if wishes.kind is None and slow <= allowed and (wishes.memory is None or flat <= wishes.memory):
        how = "asked for" if wishes.latency is not None else "that count as fast enough"
        reason = f"exact search takes {slow * 1e3:.2f} ms, within the {allowed * 1e3:g} ms {how}, and finds everything"
        return _stays(kept, embedder, slow, reason, said, alone)
    trials: list[Trial] = []
    least: tuple[int, str] | None = None
    fastest: tuple[float, str] | None = None
    for tried, kind in enumerate(_ranked(kept, probes, wishes, trials, progress)):
        index, tuned = kept.built(kind, own, probes, wishes.target, progress)
        seconds = latency(lambda query, i=index: i.search_many(query, _DEPTH + 1), probes.vectors)  # type: ignore[misc]
        memory = size_of(index.accelerator.index) + ROW_BYTES * len(index.accelerator.rows)
        recall = tuned.recall.get(_DEPTH, 1.0)
        trials.append(Trial(str(kind.spec), recall, seconds, memory, _shown(kind, tuned.settings), True))
        if tuned.reached and (least is None or memory < least[0]):
            least = memory, str(kind.spec)
        if tuned.reached and (fastest is None or seconds < fastest[0]):
            fastest = seconds, str(kind.spec)
        fits = (wishes.memory is None or memory <= wishes.memory) and (
            wishes.latency is None or seconds <= wishes.latency
        )
        if wishes.kind is not None and not tuned.reached:
            wishes.notes.append(
                f"{kind.spec} finds {recall:.3f} at most, below the target of {wishes.target:g}:"
                " leave --index-type out to have another type chosen"
            )
        if (tuned.reached and fits) or wishes.kind is not None:
            settings = None
            if alone:
                config = kept.writer.catalog.setting("config")
                settings = {"config": {**config, "index_type": str(kind.spec)}}
            kept.save(index, tuned, wishes.target, vectors, own, (seconds, slow), settings)
            reason = (
                "it was asked for"
                if wishes.kind is not None
                else f"of {len(trials)} trials the fastest that fits; exact search takes {slow * 1e3:.2f} ms,"
                f" {slow / seconds:.0f} times as long"
            )
            return Choice(
                embedder, str(kind.spec), reason, len(index.accelerator.rows),
                {f"recall@{depth}": recall for depth, recall in tuned.recall.items()},
                seconds, slow, memory, flat, said, tuple(trials),
            )  # fmt: skip
        if tried + 1 == _TRIES:
            break
    raise _impossible(wishes, trials, slow, flat)


def _stays(kept: Kept, embedder: str, slow: float, reason: str, said: str, alone: bool) -> Choice:
    """Exact search."""
    config = kept.writer.catalog.setting("config")
    kept.put(None, None, {"config": {**config, "index_type": "flat"}} if alone else None)
    flat = 4 * kept.dimension * len(kept.live)
    return Choice(
        embedder, "flat", reason, len(kept.live), {f"recall@{_DEPTH}": 1.0}, slow, slow, flat, flat, said
    )


def _ranked(
    kept: Kept, probes: Probes, wishes: _Wishes, trials: list[Trial], progress: Progress | None
) -> Iterator[AnnType]:
    """Types that may do what is wanted, the best first; what was tried on the sample goes to `trials`."""
    if wishes.kind is not None:
        yield wishes.kind
        return
    live = np.setdiff1d(kept.live, probes.own)
    chosen = np.sort(np.random.default_rng(1).choice(live, min(_SAMPLE, len(live)), replace=False))
    segments = [DenseSegment(flat_index(kept.exact.vectors(chosen.tolist())), chosen, np.zeros(0, np.int64))]
    asked = probes.vectors[:_SAMPLE_PROBES]
    sampled = probes_of(DenseIndex(segments, kept.dimension), asked, np.full(len(asked), -1), [_DEPTH])
    grown = len(live) / max(1, len(chosen))
    good: list[tuple[AnnType, Trial]] = []
    for number, spec in enumerate(CANDIDATES):
        kind = ANN_TYPES.create(spec)
        if progress:
            progress(number, len(CANDIDATES), f"trying {spec}")
        if len(chosen) < kind.fewest(len(chosen)) or not len(chosen):
            continue
        made = build(kind, segments, kept.dimension, np.zeros(0, np.int64))
        index, tuned = tune(segments, made, sampled, wishes.target)
        seconds = latency(lambda query, i=index: i.search_many(query, _DEPTH + 1), sampled.vectors)  # type: ignore[misc]
        memory = round((size_of(made.index) + ROW_BYTES * len(chosen)) * grown)
        trial = Trial(
            spec,
            tuned.recall.get(_DEPTH, 1.0),
            seconds * grown**kind.growth,
            memory,
            _shown(kind, tuned.settings),
            False,
        )
        trials.append(trial)
        if tuned.reached and (wishes.memory is None or memory <= wishes.memory):
            good.append((kind, trial))
    while good:
        quickest = min(trial.seconds for _, trial in good)
        near = [one for one in good if one[1].seconds <= quickest * _ALIKE]
        best = min(near, key=lambda one: one[1].memory)
        good.remove(best)
        yield best[0]


def _impossible(wishes: _Wishes, trials: Sequence[Trial], slow: float, flat: int) -> QueryError:
    """What no type does, and what the best of them does."""
    reaching = [trial for trial in trials if trial.recall >= wishes.target]
    whole = {trial.index_type: trial for trial in reaching if trial.whole}
    reaching = [whole.get(trial.index_type, trial) for trial in reaching]
    asked = f"a recall of {wishes.target:g}"
    if not reaching:
        return QueryError(f"no index type reaches {asked}", "take exact search: --index-type flat")
    least = min(reaching, key=lambda trial: trial.memory)
    if wishes.memory is not None and least.memory > wishes.memory:
        return QueryError(
            f"no index type reaches {asked} in {_size(wishes.memory)}:"
            f" the least possible is {_size(least.memory)} ({least.index_type})",
            f"give --memory {-(-least.memory * 1.05 // 1000):.0f}KB, or a lower --target-recall",
        )
    fastest = min(reaching, key=lambda trial: trial.seconds)
    limits = [
        f"{wishes.latency * 1e3:g} ms" if wishes.latency else "",
        _size(wishes.memory) if wishes.memory else "",
    ]
    return QueryError(
        f"no index type reaches {asked} in {' and '.join(filter(None, limits))}: the fastest takes"
        f" {fastest.seconds * 1e3:.2f} ms and {_size(fastest.memory)} ({fastest.index_type}),"
        f" exact search {slow * 1e3:.2f} ms and {_size(flat)}",
        "ask for less",
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} KB"


def _shown(kind: AnnType, settings: Any) -> str:
    setting = settings[_DEPTH]
    parts = [f"{kind.knob} {setting.effort}"] if kind.knob else []
    return ", ".join([*parts, f"refine {setting.refine}"])
