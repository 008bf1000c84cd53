"""Folders for `hf:` that are damaged or hostile: one line that names the fault and the way out, and no code is run."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS
from ragembed.errors import EmbeddingError

torch = pytest.importorskip("torch", reason="needs the extra encoder")
safetensors: Any = pytest.importorskip("safetensors.torch")

Damage = Callable[[Path], object]
WEIGHT = "encoder.layer.1.output.dense.weight"
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"


def settings(name: str = CONFIG, **changed: Any) -> Damage:
    """Other values in a file of settings."""

    def damage(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))

    return damage


def written(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def cut(size: int) -> Damage:
    return lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:size])


def tensors(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        state = safetensors.load_file(folder / WEIGHTS)
        change(state)
        safetensors.save_file(state, folder / WEIGHTS)

    return damage


def removed(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def sharded(folder: Path) -> None:
    """Weights in two files with an index, the second of which is lost."""
    state = safetensors.load_file(folder / WEIGHTS)
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    where = {key: names[at % 2] for at, key in enumerate(sorted(state))}
    for name in names:
        safetensors.save_file({key: state[key] for key in state if where[key] == name}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (folder / WEIGHTS).unlink()


def lost_shard(folder: Path) -> None:
    sharded(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("trapped").write_text, ("x",))


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))


def with_code(folder: Path) -> None:
    (folder / "evil.py").write_text(
        'from pathlib import Path\nPath("trapped").write_text("x")\nclass Model: pass\n'
    )


def asks_for_code(folder: Path) -> None:
    with_code(folder)
    settings(auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Model"})(folder)


def module_of_code(folder: Path) -> None:
    with_code(folder)
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "evil.Model"}])
    )


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        content = json.loads((folder / TOKENIZER).read_text())
        change(content)
        (folder / TOKENIZER).write_text(json.dumps(content))

    return damage


AGAIN, CONFIG_IS = "; fetch the model again", "; the model's config.json is damaged"
TABLE: list[tuple[str, Damage, str]] = [
    ("cut within the header", cut(500), r"model\.safetensors is damaged \(.*\)" + AGAIN),
    ("cut at the end", cut(-10), r"model\.safetensors is damaged \(.*\)" + AGAIN),
    ("no bytes of weights", cut(0), r"model\.safetensors is damaged \(.*\)" + AGAIN),
    ("weights are noise", written(WEIGHTS, b"\xff" * 999), r"model\.safetensors is damaged \(.*\)" + AGAIN),
    ("a tensor less", tensors(lambda state: state.pop(WEIGHT)), f"lacks the tensor {WEIGHT}{AGAIN}"),
    ("a tensor more", tensors(lambda state: state.update(adapter=torch.ones(2))), "holds the tensor adapter, which"),
    ("a shape", tensors(lambda state: state.update({WEIGHT: torch.ones(8, 3)})), r"has the shape \(8, 3\), config"),
    ("a scalar", tensors(lambda state: state.update({WEIGHT: torch.ones(())})), r"has the shape \(\), config"),
    ("nan", tensors(lambda state: state[WEIGHT].fill_(torch.nan)), f"{WEIGHT} of .* holds NaN or infinity; fetch"),
    ("infinity", tensors(lambda state: state[WEIGHT].fill_(torch.inf)), f"{WEIGHT} of .* holds NaN or infinity;"),
    ("a lost shard", lost_shard, r"lacks model-00002-of-00002\.safetensors, which its index lists" + AGAIN),
    ("a pickle", pickled, r"holds no safetensors weights; convert the model: other formats can run code \(if"),
    ("no weights", removed(WEIGHTS), "holds no safetensors weights; convert the model"),
    ("no files", emptied, r"holds no model \(neither modules\.json nor config\.json\); name the folder"),
    ("code", asks_for_code, r"asks for code of its own \(auto_map\), which is never run here; use a model"),
    ("a module of code", module_of_code, r"asks for code of its own \(evil\.Model\), which is never run here;"),
    ("no config", removed(CONFIG), r"config\.json is missing or empty" + AGAIN),
    ("config is a list", written(CONFIG, b"[]"), r"config\.json holds no settings" + AGAIN),
    ("config is cut", written(CONFIG, b'{"model'), r"config\.json is damaged \(.*\)" + AGAIN),
    ("config is binary", written(CONFIG, b"\xff\xfe\0"), r"config\.json is damaged \(.*\)" + AGAIN),
    ("config is deep", written(CONFIG, b"[" * 200_000), r"config\.json is damaged \(.*\)" + AGAIN),
    ("of no type", settings(model_type=None), "holds a model of type None, which the built-in encoder does not know"),
    ("positions of another kind", settings(position_embedding_type="alibi"), "positions are alibi, not known here"),
    ("text for a number", settings(hidden_size="eight"), f"hidden_size is 'eight', no number from 1{CONFIG_IS}"),
    ("none for a number", settings(num_attention_heads=None), "num_attention_heads is 'None', no number from 1"),
    ("a fraction", settings(intermediate_size=1.5), f"intermediate_size is 1.5, a model has 1 to .*{CONFIG_IS}"),
    ("text for positions", settings(max_position_embeddings="x"), r"config\.json makes no sense \(.*\)" + AGAIN),
    ("a list for a name", settings(hidden_act=["gelu"]), r"config\.json makes no sense \(.*\)" + AGAIN),
    ("no number of layers", settings(num_hidden_layers=0), f"num_layers is 0, a model has 1 to 1,000{CONFIG_IS}"),
    ("millions of layers", settings(num_hidden_layers=10**7), "num_layers is 10000000, a model has 1 to 1,000"),
    ("heads that do not divide", settings(num_attention_heads=3), "3 heads cannot share 8 numbers evenly"),
    ("no heads", settings(num_attention_heads=0), "num_attention_heads is '0', no number from 1"),
    ("less than nothing", settings(hidden_size=-8), "hidden_size is '-8', no number from 1"),
    ("10 TB of weights", settings(hidden_size=10**6, num_attention_heads=1000), r"has the shape \(19, 8\), config"),
    ("beyond all memory", settings(hidden_size=10**12), "head_dim is 500000000000, a model has 1 to 100,000"),
    ("no small number", settings(layer_norm_eps="small"), f"norm_eps is small{CONFIG_IS}"),
    ("no tokenizer", removed(TOKENIZER), r"holds no tokenizer\.json; convert its tokenizer, or use st:"),
    ("tokenizer is cut", written(TOKENIZER, b'{"version'), r"tokenizer\.json is damaged \(.*\)" + AGAIN),
    ("tokenizer is binary", written(TOKENIZER, b"\xff\xfe\0"), r"tokenizer\.json is damaged \(.*\)" + AGAIN),
    ("a token too many", tokenizer(lambda content: content["model"]["vocab"].update(zebra=19)),
     "has tokens numbered to 19, the model knows 19; fetch the model again"),
    ("a special token too far",
     tokenizer(lambda content: content["post_processor"]["special_tokens"]["[CLS]"].update(ids=[999])),
     "has tokens numbered to 999, the model knows 19; fetch the model again"),
    ("no token for the unknown", tokenizer(lambda content: content["model"].update(unk_token="[NONE]")),
     r"tokenizer\.json is damaged \(.*Missing \[UNK\] token"),
    ("modules are cut", written("modules.json", b"["), r"modules\.json is damaged \(.*\)" + AGAIN),
    ("pooling is cut", written("1_Pooling/config.json", b"{"), r"config\.json is damaged \(.*\)" + AGAIN),
    ("an unknown pooling", written("1_Pooling/config.json", b'{"pooling_mode": "sum"}'), "the model pools by sum;"),
    ("no room", settings("sentence_bert_config.json", max_seq_length=2), "leave no room for the text; give a greater"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "told"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_refused(
    damage: Damage, told: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    damage(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(EmbeddingError, match=told) as caught:
        EMBEDDERS.create(f'hf:"{folder}"').embed(["cat"])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "trapped").exists()


def test_shards_are_read(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    sharded(folder)
    whole, parts = (EMBEDDERS.create(f'hf:"{each}"').embed(["cat"]) for each in (tiny_model, folder))
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("limit", ["many", -1, None, True])
def test_a_limit_that_is_none(limit: Any, tiny_model: Path, tmp_path: Path) -> None:
    """The model's table of positions is one."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    settings("tokenizer_config.json", model_max_length=limit)(folder)
    (folder / "sentence_bert_config.json").unlink()
    assert EMBEDDERS.create(f'hf:"{folder}"(long=truncate)').max_tokens == 30
