from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.analysis.detect import MAX_CHARACTERS, _pieces, detect_language
from ragembed.analysis.languages import LANGUAGES

PARAGRAPHS: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "paragraphs.json").read_text(encoding="utf-8")
)
"""Three sentences in each language, not looked at when the word lists were written."""

CODE = """Open the index, then ask it.

```python
import os
def de(los, las, den, det, som):
    var = [en for en in los if en in las or en is den]
    for som in det: res, num, size, mod = os.path.join(som, "data"), 1, 2, 3
    return var
```
"""


@pytest.mark.parametrize("name", PARAGRAPHS)
def test_a_paragraph_tells_its_language(name: str) -> None:
    assert detect_language([" ".join(PARAGRAPHS[name])]) == name.partition(",")[0]


def test_paragraphs_cover_all_languages_that_can_be_told() -> None:
    assert {name.partition(",")[0] for name in PARAGRAPHS} == set(LANGUAGES) - {"yiddish"}


def test_titles_in_capitals_and_decomposed_letters_tell_it_too() -> None:
    import unicodedata

    german = " ".join(PARAGRAPHS["german"])
    assert detect_language([german.upper()]) == "german"
    assert detect_language([unicodedata.normalize("NFD", " ".join(PARAGRAPHS["french"]))]) == "french"


@pytest.mark.parametrize(
    ("more", "less"), [("german", "english"), ("english", "german"), ("russian", "english")]
)
def test_the_language_of_most_of_the_text_wins(more: str, less: str) -> None:
    assert detect_language(PARAGRAPHS[more] * 6 + PARAGRAPHS[less] * 4) == more


@pytest.mark.parametrize(
    "sample", [[], [""], ["", " \n"], ["42 !?"], ["x = y + z"], ["os.path"], ["Wikipedia"]]
)
def test_thin_evidence_is_english(sample: list[str]) -> None:
    assert detect_language(sample) == "english"


def test_code_is_english() -> None:
    assert detect_language([CODE]) == "english"
    assert detect_language([f"size = {'ai on ' * 50}"]) == "english"


def test_german_around_code_is_german() -> None:
    assert (
        detect_language([CODE.replace("Open the index, then ask it.", " ".join(PARAGRAPHS["german"]))])
        == "german"
    )


@pytest.mark.parametrize(
    "text", ["猫が好きです。", "我们需要更多的时间。", "안녕하세요 여러분", "ภาษาไทย", "שלום לכולם"]
)
def test_scripts_without_a_stemmer_leave_english_for_the_words_beside_them(text: str) -> None:
    assert detect_language([text]) == "english"


def test_words_beside_a_script_without_a_stemmer_tell_their_language() -> None:
    chinese = "我们需要更多的时间来阅读这些文件。" * 20
    assert detect_language([f"{chinese} {' '.join(PARAGRAPHS['german'])}"]) == "german"
    assert detect_language([f"{chinese} α β γ"]) == "english"


def test_a_single_text_counts_like_a_list_of_one() -> None:
    german = " ".join(PARAGRAPHS["german"])
    assert detect_language(german) == detect_language([german])


@given(st.lists(st.text(st.characters(codec=None)), max_size=8), st.randoms(use_true_random=False))
def test_any_text_gives_a_language_whatever_the_order(sample: list[str], draw: random.Random) -> None:
    found = detect_language(sample)
    assert found in LANGUAGES
    shuffled = list(sample)
    draw.shuffle(shuffled)
    assert detect_language(shuffled) == found


@given(
    st.lists(st.sampled_from(sorted(PARAGRAPHS)), min_size=1, max_size=6), st.randoms(use_true_random=False)
)
def test_mixed_languages_give_one_of_them_whatever_the_order(names: list[str], draw: random.Random) -> None:
    sample = [" ".join(PARAGRAPHS[name]) for name in names]
    found = detect_language(sample)
    assert found in {name.partition(",")[0] for name in names}
    draw.shuffle(sample)
    assert detect_language(sample) == found


def test_many_texts_are_sampled_alike_in_any_order() -> None:
    texts = [f"text {number} " * (1 + number % 40) for number in range(3_000)]
    drawn = sorted(_pieces(texts))
    assert sorted(_pieces(texts[::-1])) == drawn
    assert 0.8 * MAX_CHARACTERS < sum(map(len, drawn)) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    "lengths", [[1], [999], [1_001], [5_000, 1], [199_999], [250_000], [1_000_000, 10], [70_000] * 4]
)
def test_short_samples_are_read_whole_and_long_ones_from_all_over(lengths: list[int]) -> None:
    text = "".join(chr(0x4E00 + number % 20_000) for number in range(max(lengths)))
    drawn = [len(piece) for piece in _pieces([text[:length] for length in lengths])]
    assert max(drawn) <= 1_000
    assert min(sum(lengths), MAX_CHARACTERS) == pytest.approx(sum(drawn), rel=0.01, abs=1)


def test_the_beginning_of_a_long_text_does_not_decide() -> None:
    licence = "Permission is hereby granted to any person who has a copy of this. " * 400
    assert detect_language([licence + " ".join(PARAGRAPHS["swedish"]) * 2_000]) == "swedish"


@pytest.mark.parametrize(
    "hostile", ["a" + "\u0301\u0323" * 500_000, "\ud800" * 1_000_000, "der " * 300_000, "\0" * 1_000_000]
)
def test_hostile_text_costs_little(hostile: str) -> None:
    started = time.perf_counter()
    assert detect_language([hostile] * 3) in LANGUAGES
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("collection", ["cranfield", "cisi", "med", "scifact", "cosqa", "qmsum"])
def test_collections_are_english(shared_data: Path, collection: str) -> None:
    lines = (shared_data / collection / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert detect_language(texts) == "english"
    wrong = [text for text in texts if detect_language([text]) != "english"]
    assert len(wrong) <= 0.002 * len(texts)  # CoSQA: functions of a few lines whose names look like words


def test_a_documentation_tree_is_english(shared_data: Path) -> None:
    suffixes = {".md", ".mdx", ".rst", ".html", ".csv", ".ipynb"}
    files = [
        path for path in (shared_data / "docs_tree").rglob("*") if path.suffix in suffixes and path.is_file()
    ]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    assert detect_language(texts) == "english"
    assert sum(detect_language([text]) != "english" for text in texts) <= 0.005 * len(texts)
