"""What queries are drawn from a passage."""

from __future__ import annotations

import pytest

from ragembed.analysis import Analyzer
from ragembed.datasets.make.definitions import defined, how_to
from ragembed.datasets.make.kinds import KINDS, SHARES, Candidate, Reading
from ragembed.datasets.make.passages import passages
from ragembed.datasets.make.phrases import salient_phrases
from ragembed.datasets.make.similar import Space
from ragembed.types import Document

TEXT = """# Rotate the signing key

The signing key protects every token that the gateway hands out. An operator replaces it every ninety days. \
Tokens of the old key stay valid until midnight, which gives clients some time. \
However, the gateway refuses those that were revoked."""


def draw(kind: str, text: str = TEXT, language: str = "english", **metadata: object) -> list[Candidate]:
    document = Document("d", text, metadata)
    (passage,) = passages(0, document)
    texts = [text, *(f"other{i} words{i} of{i} another{i} text{i}" for i in range(9))]
    analyzer = Analyzer(language)
    reading = Reading(text, passage, analyzer, Space(texts, analyzer))
    return list(KINDS[kind](reading))


def test_shares_are_of_kinds() -> None:
    assert SHARES.keys() < KINDS.keys()


def test_heading() -> None:
    (found,) = draw("heading")
    assert found.text == "how to rotate the signing key"
    assert [TEXT[slice(*cut)] for cut in found.cuts] == ["# Rotate the signing key"]


def test_a_heading_that_tells_nothing_gets_one_from_above() -> None:
    body = TEXT.partition("\n\n")[2]
    text = f"Gateway\n{body}\n\n3. Usage\n{body}"
    document = Document("d", text, {"headings": [[0, 1, "Gateway"], [text.index("3. Usage"), 2, "3. Usage"]]})
    passage = list(passages(0, document))[1]
    analyzer = Analyzer("english")
    space = Space([text, *(f"usage of word{i}" for i in range(20))], analyzer)
    reading = Reading(text, passage, analyzer, space)
    assert [found.text for found in KINDS["heading"](reading)] == ["Gateway Usage"]


def test_opening_and_sentence() -> None:
    (found,) = draw("opening")
    assert found.text == "The signing key protects every token that the gateway hands out."
    assert [TEXT[slice(*cut)] for cut in found.cuts] == [found.text]
    # the last one speaks of what was said; the order is by what is shared with the rest of the passage
    assert {found.text for found in draw("sentence")} == {
        "An operator replaces it every ninety days.",
        "Tokens of the old key stay valid until midnight, which gives clients some time.",
    }


def test_phrases_are_cut_with_their_sentence() -> None:
    found = {TEXT[slice(*one.cuts[0])][:11]: one.text for one in draw("phrases")}
    assert found["An operator"] == "operator replaces every ninety days"


def test_definition_stays() -> None:
    text = (
        "A webhook is an HTTP callback that a server sends when something has happened to a resource. "
        + TEXT[26:]
    )
    (found,) = draw("definition", text)
    assert (found.text, found.cuts) == ("what is webhook", ())
    assert found.answer is not None
    assert text[slice(*found.answer)].endswith("a resource.")


def test_docstring() -> None:
    text = 'def add(a, b):\n    """Sum of two numbers. Never more.\n\n    :param a: one\n    """\n    return a + b'
    (found,) = draw("docstring", text)
    assert found.text == "Sum of two numbers"
    assert [text[slice(*cut)] for cut in found.cuts] == ["Sum of two numbers."]
    assert draw("docstring", 'def add(a, b):\n    x = 1\n    """No docstring at all."""') == []
    assert draw("docstring") == []


@pytest.mark.parametrize(
    ("language", "text", "phrase"),
    [
        ("russian", "Оператор меняет ключ подписи каждые девяносто дней, а токены живут дальше.", "ключ подписи"),
        ("none", "网关的签名密钥在九十天后更换，旧令牌有效至午夜。", "签名密钥"),
    ],
)  # fmt: skip
def test_phrases_of_other_scripts(language: str, text: str, phrase: str) -> None:
    assert any(phrase in found for found in salient_phrases(text, Analyzer(language), lambda term: 1.0, 9))


@pytest.mark.parametrize(
    ("language", "sentence", "question"),
    [
        ("english", "BM25 is a ranking function.", "what is BM25"),
        ("english", "The Reranker is the part that sorts.", "what is reranker"),
        ("english", "This is a test.", None),
        ("english", "One of these is a test.", None),
        ("english", "Rankers sort.", None),
        ("german", "Ein Webhook ist ein Rückruf.", "was ist webhook"),
        ("russian", "Вебхук — это обратный вызов.", "что такое вебхук"),
        ("finnish", "Webhook on takaisinkutsu.", None),
    ],
)
def test_definitions(language: str, sentence: str, question: str | None) -> None:
    assert defined(sentence, Analyzer(language)) == question


def test_how_to() -> None:
    assert how_to("Install the package", "english") == "how to install the package"
    assert how_to("Installation", "english") == "Installation"
    assert how_to("Run", "english") == "Run"
    assert how_to("Install das Paket", "german") == "Install das Paket"
