from __future__ import annotations

import pytest

from ragembed.chunk.outline import outline


def headings(text: str) -> list[tuple[int, str]]:
    return [(level, title) for _, level, title in outline(text).headings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\ntext\n## Two ##\n###### Six", [(1, "One"), (2, "Two"), (6, "Six")]),
        ("# C#\n#no heading\n####### seven\n#\n", [(1, "C#"), (1, "")]),
        ("One\n===\n\nTwo\n---\ntext\n\n---\n\n- item\n---\n", [(1, "One"), (2, "Two")]),
        ("# One\r\ntext\r\n\r\nTwo\r\n---\r\n", [(1, "One"), (2, "Two")]),
        ("```\n# comment\n```\n# One\n~~~python\n```\n# no\n~~~\n## Two", [(1, "One"), (2, "Two")]),
        ("````\n```\n# no\n````\n# One", [(1, "One")]),
        ("```inline``` code\n# One", [(1, "One")]),
        ("```\n# never closed", []),
        ("---\ntitle: T\n---\n# One", [(1, "One")]),
        ("    # indented code\n  # One", [(1, "One")]),
        ("", []),
    ],
)
def test_headings(text: str, expected: list[tuple[int, str]]) -> None:
    assert headings(text) == expected


def test_headings_begin_with_their_line() -> None:
    text = "intro\n\n  # One\n\nTwo\n===\n"
    assert [text[start:].split("\n")[0] for start, _, _ in outline(text).headings] == ["  # One", "Two"]


def test_blocks() -> None:
    fence = "```py\n| no | table |\n| in | code |\n```"
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    text = f"text\n\n{fence}\n\n{table}\n\n| one line\n\n~~~\nopen"
    assert [text[start:end] for start, end in outline(text).blocks] == [fence, table, "~~~\nopen"]
