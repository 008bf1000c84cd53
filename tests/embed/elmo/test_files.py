"""Reading, converting and writing models, and all that may be wrong with their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.elmo.files import ElmoFiles, convert, open_elmo
from ragembed.errors import EmbeddingError, MissingExtraError, StoreError

h5py = pytest.importorskip("h5py", reason="needs the extra elmo")

CELL = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell"


@pytest.fixture
def published(tiny: ElmoFiles, tmp_path: Path) -> Path:
    """A folder with the tiny model as others publish theirs."""
    tiny.export(tmp_path / "published")
    return tmp_path / "published"


def same(left: ElmoFiles, right: ElmoFiles) -> bool:
    equal = [np.array_equal(left.weights[name], right.weights[name]) for name in left.weights]
    return left.options == right.options and left.weights.keys() == right.weights.keys() and all(equal)


def test_there_and_back(tiny: ElmoFiles, published: Path, tmp_path: Path) -> None:
    read = open_elmo(published)
    again = convert(published / "weights.hdf5", tmp_path / "ours", published / "options.json")
    ours = open_elmo(tmp_path / "ours")
    assert same(tiny, read)
    assert same(tiny, again)
    assert same(tiny, ours)
    assert tiny.digest == read.digest == ours.digest


def test_the_digest_tells_weights_and_options_apart(tiny: ElmoFiles) -> None:
    weights = {**tiny.weights, "char_embed": tiny.weights["char_embed"] + np.float32(1e-3)}
    options = json.loads(json.dumps(tiny.options.to_json()))
    options["lstm"]["use_skip_connections"] = False
    others = [
        ElmoFiles(tiny.options, weights),
        ElmoFiles(type(tiny.options).from_json(options), tiny.weights),
    ]
    assert len({tiny.digest, *(other.digest for other in others)}) == 3


def test_the_options_of_that_name_are_taken(published: Path) -> None:
    (published / "weights.hdf5").rename(published / "small_weights.hdf5")
    shutil.copy(published / "options.json", published / "small_options.json")
    (published / "options.json").write_text("{}")
    open_elmo(published / "small_weights.hdf5")
    open_elmo(published)


def test_projections_that_are_left_out_change_nothing(tiny: ElmoFiles, tmp_path: Path) -> None:
    """As the published program writes a model whose sizes are equal on both sides."""
    options = json.loads(json.dumps(tiny.options.to_json()))
    options["lstm"].update(dim=13, projection_dim=13)  # 4 + 3 + 6 filters
    (tmp_path / "options.json").write_text(json.dumps(options))
    same_size = type(tiny.options).from_json(options)
    from ragembed.embed.elmo.weights import shapes

    with h5py.File(tmp_path / "weights.hdf5", "w") as file:
        for name, shape in shapes(same_size).items():
            if "W_P" not in name and "proj" not in name:
                file[name] = np.zeros(shape, np.float32)
    read = open_elmo(tmp_path)
    np.testing.assert_array_equal(read.weights["CNN_proj/W_proj"], np.eye(13))
    np.testing.assert_array_equal(read.weights[f"{CELL}/W_P_0"], np.eye(13))


def test_without_h5py_the_extra_is_named(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"ragembed\[elmo\]"):
        open_elmo(published)


def replace(file: Any, name: str, values: object) -> None:
    del file[name]
    if values is not None:
        file[name] = values


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: replace(file, "char_embed", None), "lacks the tensor char_embed"),
        (
            lambda file: replace(file, f"{CELL}/B", np.zeros(9, "f4")),
            r"shape \(9,\), the options want \(28,\)",
        ),
        (lambda file: replace(file, "char_embed", np.full((261, 3), np.nan, "f4")), "holds NaN or infinity"),
        (lambda file: replace(file, "char_embed", np.zeros((261, 3), "i4")), "no tensor of floating-point"),
        (lambda file: replace(file, "CNN", np.zeros(3)), "lacks the tensor CNN/W_cnn_0"),
        (lambda file: replace(file, "char_embed", h5py.ExternalLink("other", "/x")), "a link to elsewhere"),
        (lambda file: replace(file, "char_embed", h5py.SoftLink("/CNN/b_cnn_0")), "a link to elsewhere"),
    ],
)
def test_damaged_hdf5(published: Path, damage: Any, told: str) -> None:
    with h5py.File(published / "weights.hdf5", "a") as file:
        damage(file)
    with pytest.raises(EmbeddingError, match=told):
        open_elmo(published)


def test_sizes_that_lie_ask_for_no_memory(tmp_path: Path, tiny: ElmoFiles) -> None:
    """134 GB by the header, none of it written: both files agree, and still it is refused."""
    from ragembed.embed.elmo.weights import shapes

    options = json.loads(json.dumps(tiny.options.to_json()))
    options["lstm"].update(dim=65536, projection_dim=65536)
    (tmp_path / "options.json").write_text(json.dumps(options))
    with h5py.File(tmp_path / "weights.hdf5", "w") as file:
        for name, shape in shapes(type(tiny.options).from_json(options)).items():
            file.create_dataset(name, shape, "f4", chunks=True if max(shape) > 1000 else None)
    with pytest.raises(EmbeddingError, match="claims to hold"):
        open_elmo(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 4000])
def test_a_file_that_is_no_hdf5(published: Path, content: bytes) -> None:
    (published / "weights.hdf5").write_bytes(content)
    with pytest.raises(EmbeddingError, match=r"is no HDF5 file|is damaged"):
        open_elmo(published)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_off(published: Path, share: float) -> None:
    path = published / "weights.hdf5"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(EmbeddingError) as raised:
        open_elmo(published)
    assert "\n" not in str(raised.value)


def test_where_there_is_no_model(tmp_path: Path, published: Path) -> None:
    with pytest.raises(EmbeddingError, match="0 files that may be weights"):
        open_elmo(tmp_path / "published" / "..")
    with pytest.raises(EmbeddingError, match="is no model of ELMo"):
        open_elmo(tmp_path / "nothing")
    shutil.copy(published / "weights.hdf5", published / "other_weights.hdf5")
    with pytest.raises(
        EmbeddingError, match=r"2 files that may be weights in HDF5 \(other_weights.hdf5, weights.hdf5\)"
    ):
        open_elmo(published)


@pytest.mark.parametrize("name", ["options.json", "elmo.json", "elmo.safetensors"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"])
def test_damage_to_our_folder(tiny: ElmoFiles, tmp_path: Path, name: str, content: bytes) -> None:
    tiny.save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EmbeddingError) as raised:
        open_elmo(tmp_path)
    assert "\n" not in str(raised.value)


def test_tensors_of_another_model(tiny: ElmoFiles, tmp_path: Path) -> None:
    tiny.save(tmp_path)
    options = json.loads((tmp_path / "options.json").read_text())
    options["lstm"]["dim"] = 8
    (tmp_path / "options.json").write_text(json.dumps(options))
    with pytest.raises(EmbeddingError, match=r"W_0 has shape \(10, 28\), the options want \(10, 32\)"):
        open_elmo(tmp_path)


def test_paths_may_be_strings_and_a_model_is_shown_in_a_line(tiny: ElmoFiles, tmp_path: Path) -> None:
    tiny.save(str(tmp_path / "ours"))
    open_elmo(str(tmp_path / "ours")).export(str(tmp_path / "published"))
    again = convert(str(tmp_path / "published" / "weights.hdf5"), str(tmp_path / "again"))
    assert same(tiny, again)
    assert (
        repr(tiny)
        == f"<ElmoFiles: 2 layers, 10 dimensions, {sum(w.size for w in tiny.weights.values()):,} weights>"
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_published_is_never_written_over(tiny: ElmoFiles, published: Path, tmp_path: Path) -> None:
    options = json.loads((published / "options.json").read_text())
    (published / "options.json").write_text(json.dumps({**options, "n_train_tokens": 768648884}))
    before = files_of(published)
    with pytest.raises(StoreError, match=r"published holds .*; name a new folder"):
        convert(published, published)
    with pytest.raises(StoreError, match=r"published holds options\.json"):
        open_elmo(published).export(published)
    assert files_of(published) == before
    (tmp_path / "alone").mkdir()
    shutil.copy(published / "options.json", tmp_path / "alone")
    with pytest.raises(StoreError, match=r"alone holds options\.json"):
        tiny.save(tmp_path / "alone")


def test_a_model_of_ours_is_replaced(tiny: ElmoFiles, tmp_path: Path) -> None:
    ElmoFiles(tiny.options, {**tiny.weights, "char_embed": tiny.weights["char_embed"] + 1}).save(
        tmp_path / "ours"
    )
    tiny.save(tmp_path / "ours")
    assert same(open_elmo(tmp_path / "ours"), tiny)
    again = convert(tmp_path / "ours", tmp_path / "ours")
    assert same(open_elmo(tmp_path / "ours"), again)


def full_disk(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_what_was_there(
    tiny: ElmoFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.save(tmp_path / "ours")
    before = files_of(tmp_path / "ours")
    other = ElmoFiles(tiny.options, {**tiny.weights, "char_embed": tiny.weights["char_embed"] + 1})
    monkeypatch.setattr("ragembed.embed.elmo.files.sync_tree", full_disk)
    for write, name in ((other.save, "ours"), (other.save, "new"), (other.export, "new")):
        with pytest.raises(StoreError, match=r"cannot be written .*No space left"):
            write(tmp_path / name)
    monkeypatch.setattr(h5py.Group, "create_dataset", full_disk)
    with pytest.raises(StoreError, match=r"cannot be written .*No space left"):
        other.export(tmp_path / "new")
    assert files_of(tmp_path / "ours") == before
    assert not (tmp_path / "new").exists()
