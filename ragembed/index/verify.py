"""Check of a whole index, reading only: the catalog in itself, every segment file, and that the two fit."""

from __future__ import annotations

from collections.abc import Iterator

from ragembed.config import PipelineConfig
from ragembed.errors import EmbeddingError, IdentityError, RagembedError
from ragembed.index import check_catalog
from ragembed.index.catalog import Catalog
from ragembed.index.check_segments import segments
from ragembed.index.files import EMBEDDERS, SEGMENTS
from ragembed.index.problems import DAMAGE, REPAIR, Problem, unreadable
from ragembed.index.store import Store

__all__ = ["Problem", "orphans", "verify"]


def verify(store: Store) -> list[Problem]:
    """All that is wrong with the index, [] where it is whole. Raises nothing because of damage."""
    while True:
        seen = _generation(store)
        problems = _problems(store)
        if (
            not problems or _generation(store) == seen
        ):  # else a writer may have merged segments away meanwhile
            return problems


def orphans(store: Store) -> list[str]:
    """What lies in the index's folders and is named by nothing: harmless, the next write removes it."""
    with store.snapshot() as catalog:
        named = {f"{SEGMENTS}/{record.name}" for record in catalog.segments()}
        config = PipelineConfig.from_json(catalog.setting("config"))
    named |= {record.folder for record in config.embedders if record.folder}
    folders = [store.folder / name for name in (EMBEDDERS, SEGMENTS)]
    there = sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir())
    names = [path.relative_to(store.folder).as_posix() for path in there]
    return [name for name in names if name not in named]


def learnt_fault(store: Store, config: PipelineConfig, number: int) -> RagembedError | None:
    """Why what an embedder has learnt cannot be used, None where it can, or where it learns nothing."""
    from ragembed.embed import EMBEDDERS as KINDS
    from ragembed.embed.identity import load_learnt

    record = config.embedders[number]
    if record.folder is None:
        return None
    try:
        load_learnt(record, KINDS.create(record.spec), store.folder)
    except RagembedError as error:
        return error
    except DAMAGE as error:
        return EmbeddingError(f"{record.folder} cannot be read ({error})")
    return None


def _model_fault(store: Store, config: PipelineConfig, number: int) -> RagembedError | None:
    """Why the model that an embedder needs, and the index does not hold, is not the one that it was made with."""
    from ragembed.embed import EMBEDDERS as KINDS
    from ragembed.embed.identity import check_model

    record = config.embedders[number]
    try:
        check_model(record, KINDS.create(record.spec), store.folder)
    except IdentityError as error:
        return error
    except DAMAGE:  # of what was recorded, which is told elsewhere
        return None
    return None


def _generation(store: Store) -> int:
    try:
        with store.snapshot() as catalog:
            return catalog.generation()
    except DAMAGE:
        return -1


def _problems(store: Store) -> list[Problem]:
    found: list[Problem] = []
    try:
        with store.snapshot() as catalog, check_catalog.tolerant(catalog.db):
            strange = list(check_catalog.schema(catalog.db))
            if any(not problem.mendable for problem in strange):
                return strange  # a view may never end, so nothing more is asked
            checks = (
                check_catalog.integrity(catalog),
                check_catalog.settings(catalog),
                check_catalog.contents(catalog),
                check_catalog.files(catalog),
                _by_config(store, catalog),
            )
            found += strange
            for check in checks:
                try:
                    found.extend(check)
                except DAMAGE as error:
                    found.append(unreadable(str(store.path), error))
    except DAMAGE as error:
        found.append(unreadable(str(store.path), error))
    return list(dict.fromkeys(found))


def _by_config(store: Store, catalog: Catalog) -> Iterator[Problem]:
    """What can be checked only with the configuration; that it cannot be read is told elsewhere."""
    try:
        config = PipelineConfig.from_json(catalog.setting("config"))
    except DAMAGE:
        return
    for number in range(len(config.embedders)):
        if (fault := _model_fault(store, config, number)) is not None:
            yield Problem(fault.fault, fault.remedy, outside=True)
        elif (fault := learnt_fault(store, config, number)) is not None:
            yield Problem(fault.fault, REPAIR)
    yield from segments(store, catalog, config.embedders)
