from __future__ import annotations

import pytest

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.errors import CorruptError


def test_a_configuration_comes_back_from_json() -> None:
    record = EmbedderRecord("lsa", "dense", 2, "embedders/0-lsa", {"a": 1})
    config = PipelineConfig("lsa", embedders=(record,))
    assert PipelineConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "folder", ["/etc", "..", "embedders/..", "embedders/../x", "embedders/a/b", "embedders/", "a"]
)
def test_learnt_state_outside_of_the_index_is_refused(folder: str) -> None:
    values = PipelineConfig().to_json()
    values["embedders"] = [{"spec": "lsa", "kind": "dense", "dimension": 2, "folder": folder, "identity": {}}]
    with pytest.raises(CorruptError, match="which is no folder of ours"):
        PipelineConfig.from_json(values)


@pytest.mark.parametrize(
    "change",
    [{"embedder": 5}, {"chunker": None}, {"embedders": {}}, {"embedders": [7]}, {"settled_chunker": []},
     {"embedders": [{"spec": "lsa", "kind": "dense", "dimension": True, "folder": None, "identity": {}}]},
     {"embedders": [{"spec": "lsa", "kind": "dense", "dimension": 1 << 40, "folder": None, "identity": {}}]},
     {"embedders": [{"spec": "lsa", "kind": "dense", "dimension": 2, "folder": 7, "identity": {}}]},
     {"embedders": [{"spec": "lsa", "kind": "dense", "dimension": 2, "folder": None, "identity": []}]}],
)  # fmt: skip
def test_values_of_other_types_are_damage(change: dict[str, object]) -> None:
    with pytest.raises(CorruptError, match="the index's configuration is damaged"):
        PipelineConfig.from_json({**PipelineConfig().to_json(), **change})
