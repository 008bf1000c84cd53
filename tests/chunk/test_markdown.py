from __future__ import annotations

from ragembed.chunk import CHUNKERS
from ragembed.types import Chunk, Document


def chunked(spec: str, text: str, **metadata: object) -> list[Chunk]:
    return list(CHUNKERS.create(spec).chunk(Document("d", text, metadata)))


def test_a_chunk_holds_one_section_and_is_told_the_headings_above() -> None:
    text = (
        "# Guide\n\nThis guide says how to do all of it.\n\n"
        "## Install\n\nFirst install the package with the tool.\n\n"
        "### Windows\n\nThere it is done in another way.\n\n"
        "## Use\n\nThen use it as you like it."
    )
    chunks = chunked("markdown(tokens=40, overlap=8)", text)
    assert [chunk.text.split("\n")[0] for chunk in chunks] == [
        "# Guide",
        "## Install",
        "### Windows",
        "## Use",
    ]
    contexts = ["Guide", "Guide > Install", "Guide > Install > Windows", "Guide > Use"]
    assert [chunk.metadata["context"] for chunk in chunks] == contexts
    assert [chunk.metadata["heading"] for chunk in chunks] == contexts


def test_each_chunk_of_a_long_section_has_its_context() -> None:
    text = "# Long\n\n" + "A sentence of some words here. " * 30
    chunks = chunked("markdown(tokens=40, overlap=0)", text)
    assert len(chunks) > 3
    assert {chunk.metadata["context"] for chunk in chunks} == {"Long"}


def test_headings_of_the_reader_are_taken() -> None:
    text = "Title\n\nSome words that make up the first section.\n\nPart\n\nSome words of the second section."
    headings = [[0, 1, "Title"], [text.index("Part"), 2, "Part"]]
    chunks = chunked("markdown(tokens=40, overlap=8)", text, headings=headings)
    assert [chunk.metadata["context"] for chunk in chunks] == ["Title", "Title > Part"]
    assert [chunk.text.split("\n")[0] for chunk in chunks] == ["Title", "Part"]


def test_no_headings_no_context() -> None:
    (chunk,) = chunked("markdown", "# no heading, says the reader", headings=[])
    assert chunk.metadata == {}


def test_tiny_sections_join_what_follows_below_or_beside_them() -> None:
    text = "# Title\n\n## A\n\nOne.\n\n## B\n\n" + "Word " * 30 + "\n\n# Next\n\nEnd."
    chunks = chunked("markdown(tokens=64, overlap=0)", text)  # tiny: less than 8 tokens
    assert [chunk.text.split("\n")[0] for chunk in chunks] == ["# Title", "# Next"]
    text = "## A\n\nOne.\n\n# Higher\n\nTwo."
    assert [chunk.text for chunk in chunked("markdown(tokens=64, overlap=0)", text)] == [
        "## A\n\nOne.",
        "# Higher\n\nTwo.",
    ]


def test_code_and_tables_that_fit_are_kept_whole() -> None:
    code = "```\none = 1\n\ntwo = 2\n\nthree = 3\n```"  # 15 tokens
    table = "| a | b |\n|---|---|\n| 1 | 2 |"  # 21 tokens
    text = (
        f"Some words stand before the code.\n\n{code}\n\nAnd some before the table here.\n\n{table}\n\nEnd."
    )
    for tokens in (22, 24, 26, 28, 30):
        texts = [chunk.text for chunk in chunked(f"markdown(tokens={tokens}, overlap=4)", text)]
        assert any(code in found for found in texts)
        assert any(table in found for found in texts)


def test_code_that_does_not_fit_is_cut_at_lines() -> None:
    code = "```\n" + "value = compute(1)\n" * 20 + "```"
    texts = [chunk.text for chunk in chunked("markdown(tokens=30, overlap=0)", f"# A\n\n{code}")]
    assert all(found.endswith(("compute(1)", "```")) for found in texts)
