"""Documents cut into what answers one question."""

from __future__ import annotations

from ragembed.datasets.make.passages import LONGEST, SHORTEST, Passage, passages
from ragembed.types import Document

BODY = (
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on as if nothing at all had happened."
    " It was late by then."
)


def made(text: str, **metadata: object) -> list[Passage]:
    return list(passages(7, Document("d", text, metadata)))


def test_sections_with_the_titles_above_them() -> None:
    text = f"# Guide\n\n{BODY}\n\n## Keys\n\n{BODY}\n\n# Other\n\n{BODY}"
    headings = [[text.index("# Guide"), 1, "Guide"], [text.index("## Keys"), 2, "Keys"],
                [text.index("# Other"), 1, "Other"]]  # fmt: skip
    one, two, three = made(text, headings=headings)
    assert [part.titles for part in (one, two, three)] == [("Guide",), ("Guide", "Keys"), ("Other",)]
    assert one.document == 7
    assert one.heading == (0, len("# Guide"))
    assert text[slice(*two.heading or (0, 0))] == "## Keys"
    for part in (one, two, three):
        assert text[slice(*part.body)].strip() == BODY
        assert [text[start:end] for start, end in part.sentences] == [BODY[:-21], "It was late by then."]
    assert made(text) == [one, two, three]  # Markdown's own headings, where the reader names none


def test_rules_around_a_heading_are_part_of_it() -> None:
    text = f"=====\nGuide\n=====\n\n{BODY}\n\nKeys\n----\n{BODY}"
    one, two = made(text, headings=[[0, 1, "Guide"], [text.index("Keys"), 2, "Keys"]])
    assert text[slice(*one.heading or (0, 0))] == "=====\nGuide\n====="
    assert text[slice(*two.heading or (0, 0))] == "Keys\n----"


def test_a_title_with_which_the_text_begins() -> None:
    (part,) = made(f"Foxes and dogs {BODY}", title="Foxes and dogs")
    assert part.heading == (0, len("Foxes and dogs"))
    assert part.titles == ("Foxes and dogs",)
    (part,) = made(BODY)
    assert (part.heading, part.titles) == (None, ())


def test_long_sections_are_parted_and_short_ones_left_out() -> None:
    text = "\n\n".join([BODY] * 60)
    parts = made(text)
    assert "".join(text[part.start : part.end] for part in parts).replace("\n", "") == BODY * 60
    assert all(SHORTEST <= part.end - part.start <= LONGEST * 5 // 4 for part in parts)
    assert all(text[part.start : part.end].startswith("The quick") for part in parts)
    assert made("# Title\n\nToo short.") == []
    assert made("x" * 10 * LONGEST)[0].end == LONGEST  # nothing to part it at


def test_functions_of_a_source_file() -> None:
    text = 'import os\n\n\ndef one(a):\n    """Add."""\n    return a\n\n\nclass Two:\n    pass\n'.strip()
    one, two = made(text, format="code")
    assert text[one.start : one.end] == 'def one(a):\n    """Add."""\n    return a'
    assert text[two.start : two.end] == "class Two:\n    pass"
    assert one.code
    assert made(text[text.index("def") :])[0].code  # a collection of functions does not say what they are
    assert not made(f"class struggle is a word. {BODY}")[0].code
