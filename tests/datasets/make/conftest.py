"""Documents of words drawn at random: distinct by construction, and in any script."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from ragembed.types import Document

LETTERS = {
    "latin": "abcdefghiklmnoprstuvw",
    "cyrillic": "абвгдежзиклмнопрстуфх",
    "han": "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水",
}


def vocabulary(random: Random, script: str) -> list[str]:
    """The words of one section, which speaks of something else than all others."""
    sizes = range(2, 3) if script == "han" else range(4, 9)
    return ["".join(random.choices(LETTERS[script], k=random.choice(sizes))) for _ in range(30)]


def sentence(random: Random, words: list[str], script: str) -> str:
    """A sentence of ten words."""
    if script == "han":
        return "".join(random.sample(words, 10)) + "。"
    return " ".join(random.sample(words, 10)).capitalize() + "."


@pytest.fixture(scope="session")
def library() -> Callable[..., list[Document]]:
    """Makes documents of two sections, each with a heading and eight sentences of words of its own."""

    def make(count: int = 20, script: str = "latin", seed: int = 0) -> list[Document]:
        random = Random(seed)
        gap = "" if script == "han" else " "
        documents = []
        for number in range(count):
            text, headings = "", []
            for level in (1, 2):
                words = vocabulary(random, script)
                title = gap.join(random.sample(words, 4))
                headings.append([len(text), level, title])
                body = gap.join(sentence(random, words, script) for _ in range(8))
                text += f"{'#' * level} {title}\n\n{body}\n\n"
            metadata = {"path": f"d{number}.md", "headings": headings, "first_line": 1}
            documents.append(Document(f"d{number}", text.strip(), metadata))
        return documents

    return make
