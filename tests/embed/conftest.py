"""Models of a few kilobytes, made on the spot: of sentence-transformers, one token per word; word vectors; an ELMo."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.elmo.files import ElmoFiles
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import Weights, shapes

WORDS = ("cat", "dog", "sat", "mat", "the", "on", "red", "blue", "query", "passage", ":", "ran", "far", "?")
MakeModel = Callable[..., Path]
Draw = Callable[[Options], Weights]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder: 16 tokens at most, no prompts, vectors that are not normalised."""
    pytest.importorskip("sentence_transformers", reason="needs the extra st")
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=32,
            initializer_range=0.5,
        )
    ).save_pretrained(folder)
    _write_tokenizer(folder, vocabulary)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 16, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    write_json(
        folder / "1_Pooling/config.json", {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True}
    )
    return folder


@pytest.fixture(scope="session")
def tiny_words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A text file of word vectors of 5 dimensions, converted to a cache of its own."""
    folder = tmp_path_factory.mktemp("words")
    file = folder / "words.txt"
    random = np.random.default_rng(0)
    words = ("a", "cat", "dog", "ran", "the", "search", "documents", "query", "Matte", "日本", "42", "café")
    lines = (" ".join([word, *(f"{value:.4f}" for value in random.normal(size=5))]) for word in words)
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAGEMBED_CACHE", str(folder / "cache"))
        yield file


def random_weights(options: Options) -> Weights:
    generator = np.random.default_rng(0)
    return {
        name: generator.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes(options).items()
    }


@pytest.fixture(scope="session")
def draw() -> Draw:
    """A function that gives random weights of an ELMo for options."""
    return random_weights


@pytest.fixture(scope="session")
def tiny_elmo(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    """The folder of an ELMo of a few thousand weights, drawn at random."""
    folder = tmp_path_factory.mktemp("models") / "elmo"
    options = Options(
        char_dimension=3, filters=((1, 4), (2, 3)), highways=1, longest_word=12, cells=7, projection=5
    )
    ElmoFiles(options, draw(options), {"tokenizer": {"kind": "cased"}}).save(folder)
    return folder


@pytest.fixture
def make_model(tiny_model: Path, tmp_path: Path) -> MakeModel:
    """A function that copies the tiny model to a folder of its own, with these prompts."""

    def make(name: str = "copy", **prompts: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(tiny_model, folder)
        write_json(folder / "config_sentence_transformers.json", {"prompts": prompts})
        return folder

    return make


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_tokenizer(folder: Path, vocabulary: list[str]) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "BertTokenizer",
        "model_max_length": 32,
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "mask_token": "[MASK]",
    }
    write_json(folder / "tokenizer_config.json", config)
