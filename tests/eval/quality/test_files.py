"""Files that embeddings are judged by: each form as it is handed out, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import cast

import pytest

from ragembed.errors import DatasetError
from ragembed.eval.quality.bias_files import BiasTest
from ragembed.eval.quality.files import FORMS, Section, read_quality_file
from ragembed.eval.quality.pair_files import Pairs

WEAT = {
    "flowers": {
        "method": "weat",
        "X_key": "Flowers", "Y_key": "Insects", "A_key": "Good", "B_key": "Bad",
        "Flowers": ["rose", "aster"], "Insects": ["ant", "flea"],
        "Good": ["joy", "love", "joy"], "Bad": ["war", "filth"],
    },
    "jobs": {
        "method": "wefat", "W_key": "Jobs", "A_key": "Female", "B_key": "Male",
        "Jobs": ["nurse", "baker"], "Female": ["she", "her"], "Male": ["he", "him"],
    },
}  # fmt: skip


def write(folder: Path, text: str) -> Path:
    path = folder / "file.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return path


WORDS = [
    pytest.param("love\tsex\t6.77\ntiger\tcat\t7.35\n", id="tabs"),
    pytest.param("love sex 6.77\r\n\r\ntiger cat 7.35", id="spaces, as MEN"),
    pytest.param("\ufefflove,sex,6.77\ntiger,cat,7.35\n", id="byte order mark"),
    pytest.param("Word 1,Word 2,Human (mean)\nlove,sex,6.77\ntiger,cat,7.35\n", id="combined.csv of WS-353"),
    pytest.param(
        "word1\tword2\tPOS\tSimLex999\tconc(w1)\nlove\tsex\tN\t6.77\t1\ntiger\tcat\tN\t7.35\t2\n",
        id="SimLex-999.txt",
    ),
    pytest.param("# comment\nlove\tsex\t6.77\n# another\ntiger\tcat\t7.35\n", id="comments"),
]


@pytest.mark.parametrize("text", WORDS)
def test_word_pairs(tmp_path: Path, text: str) -> None:
    found = read_quality_file(write(tmp_path, text))
    pairs = cast(Pairs, found.content)
    assert (found.name, found.task) == ("file.txt", "word-similarity")
    assert (pairs.left, pairs.right, pairs.scores.tolist()) == (
        ["love", "tiger"], ["sex", "cat"], [6.77, 7.35],
    )  # fmt: skip


SENTENCES = [
    pytest.param('score\tsentence1\tsentence2\n5.0\tA "b" c.\tD, e.\n', id="header"),
    pytest.param('5.0\tA "b" c.\tD, e.\n', id="no header"),
    pytest.param('main\tMSRvid\t2012\t0001\t5.000\tA "b" c.\tD, e.\tsource\n', id="STS-B's own columns"),
    pytest.param('index\tsentence1\tsentence2\tscore\n0\tA "b" c.\tD, e.\t5\n', id="columns of GLUE"),
    pytest.param(
        'pair_ID\tsentence_A\tsentence_B\trelatedness_score\n1\tA "b" c.\tD, e.\t5\n', id="columns of SICK"
    ),
]


@pytest.mark.parametrize("text", SENTENCES)
def test_sentence_pairs(tmp_path: Path, text: str) -> None:
    found = read_quality_file(write(tmp_path, text))
    pairs = cast(Pairs, found.content)
    assert found.task == "sentence-similarity"
    assert (pairs.left, pairs.right, pairs.scores.tolist()) == (['A "b" c.'], ["D, e."], [5.0])


def test_analogies(tmp_path: Path) -> None:
    found = read_quality_file(write(tmp_path, ": family\nboy girl king queen\n\n: gram1\na b c d\n"))
    assert found.task == "analogies"
    assert found.content == [
        Section("family", [("boy", "girl", "king", "queen")]),
        Section("gram1", [("a", "b", "c", "d")]),
    ]


def test_bias_tests(tmp_path: Path) -> None:
    found = read_quality_file(write(tmp_path, json.dumps(WEAT, indent=1)))
    flowers, jobs = cast("list[BiasTest]", found.content)
    assert found.task == "bias"
    assert [flowers.method, jobs.method] == ["weat", "wefat"]
    assert flowers.attributes[0].words == ("joy", "love")  # a set holds a word once
    assert [one.label for one in flowers.targets] == ["Flowers", "Insects"]
    assert list(jobs.words()) == ["nurse", "baker", "she", "her", "he", "him"]


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "pairs.gz"
    path.write_bytes(gzip.compress(b"a\tb\t1\nc\td\t2\n"))
    assert len(cast(Pairs, read_quality_file(path).content)) == 2


def changed(test: str, **changes: object) -> str:
    return json.dumps({test: {**WEAT[test], **changes}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; give a file of bias tests"),
        ("\n \n", "is empty"),
        ("a\tb\t1\n\na\tb\n", "line 3 has 2 columns where 3 are expected"),
        ("a\tb\t1\na\tb\t2\t3\n", "line 2 has 4 columns where 3 are expected"),
        ("a b 1\nc d much\n", "line 2: the score 'much' is no number"),
        ("a\tb\t1\nc\td\tnan\n", "line 2: the score 'nan' is no number"),
        ("a,b,1\nc,,2\n", "line 2: one side of the pair is empty"),
        ("score\tsentence1\tsentence2\n1\tx\t \n", "line 2: one side of the pair is empty"),
        (": s\na b c d\na b c\n", "line 3: 3 words where a question has 4"),
        (": s\n: t\n", "holds no question"),
        ("{", "is no JSON of bias tests"),
        ("{}", "holds no bias tests"),
        ('{"t": 1}', "test 't' is no JSON object"),
        (changed("flowers", method="x"), "test 'flowers' has the method 'x'; valid are: weat, wefat"),
        (changed("flowers", Y_key="Bugs"), "test 'flowers' lacks the list that Y_key names"),
        (changed("flowers", Good=[]), "the list 'Good' is empty"),
        (changed("flowers", Good=["joy", 7]), "the list 'Good' is empty or holds what is no word"),
        (changed("flowers", Insects=["rose", "ant"]), "has 'rose' among both lists of targets"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DatasetError) as caught:
        read_quality_file(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_unknown_form_lists_what_would_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read_quality_file(write(tmp_path, "\nonce upon a time there was\n"))
    message = str(caught.value)
    assert "line 2" in message
    assert "once upon a time" in message
    assert all(form.layout in message for form in FORMS.values())


def test_real_files(shared_data: Path) -> None:
    words = shared_data / "word_similarity"
    sizes = {"EN-WS-353-ALL.txt": 353, "EN-SIMLEX-999.txt": 999, "EN-MEN-TR-3k.txt": 3_000}
    for name, size in sizes.items():
        assert len(cast(Pairs, read_quality_file(words / name).content)) == size
    for name, size in {"stsb-test.tsv": 1_379, "stsb-dev.tsv": 1_500, "stsb-train.tsv": 5_749}.items():
        assert len(cast(Pairs, read_quality_file(shared_data / "sts" / name).content)) == size
    sections = cast("list[Section]", read_quality_file(words / "questions-words.txt").content)
    assert (len(sections), sum(len(section.questions) for section in sections)) == (14, 19_544)
    tests = cast("list[BiasTest]", read_quality_file(words / "weat.json").content)
    assert [test.method for test in tests].count("weat") == 7
    assert [test.method for test in tests].count("wefat") == 2
