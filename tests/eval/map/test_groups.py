"""Which chunks have one colour."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ragembed.errors import QueryError
from ragembed.eval.map.groups import MOST, group_chunks

NOTHING: list[dict[str, Any]] = [{}, {}, {}]


def named(groups: Any) -> list[str]:
    return [groups.names[of] for of in groups.of]


def test_folders_begin_where_documents_part() -> None:
    documents = ["docs/a/x.md", "docs/a/y.md", "docs/b/deep/z.md", "docs/top.md"]
    groups = group_chunks(documents, [{}] * 4, None)
    assert groups.by == "folder"
    assert named(groups) == ["docs/a", "docs/a", "docs/b", "docs"]
    assert named(group_chunks(["x.md", "y.md"], [{}] * 2, "folder")) == [".", "."]


def test_without_folders_by_document_if_they_are_few() -> None:
    assert group_chunks(["x.md", "y.md", "y.md"], NOTHING, None).by == "document"
    many = [f"{number}.md" for number in range(MOST + 1)]
    assert group_chunks(many, [{}] * len(many), None).by is None


def test_the_largest_groups_and_all_others() -> None:
    documents = [f"{number}.md" for number in range(MOST + 3)] + ["3.md", "7.md", "7.md"]
    groups = group_chunks(documents, [{}] * len(documents), "document")
    assert groups.names == ("7.md", "3.md", "0.md", "1.md", "10.md", "2.md", "4.md", "(other)")
    assert named(groups).count("(other)") == len(documents) - 3 - 2 - 5


def test_a_field_of_the_metadata() -> None:
    metadata = [{"lang": "en", "author": {"name": "x"}}, {"lang": "de"}, {"draft": True}]
    documents = ["a", "b", "c"]
    assert named(group_chunks(documents, metadata, "lang")) == ["en", "de", "(none)"]
    assert named(group_chunks(documents, metadata, "author.name")) == ["x", "(none)", "(none)"]
    assert named(group_chunks(documents, metadata, "draft")) == ["(none)", "(none)", "true"]
    with pytest.raises(
        QueryError, match=r"no chunk has a field 'langs'; there are: document, folder, lang, author\.name"
    ):
        group_chunks(documents, metadata, "langs")


def test_many_numbers_become_ranges() -> None:
    metadata: list[dict[str, Any]] = [{"year": 1990 + number} for number in range(30)]
    groups = group_chunks(["x"] * 31, [*metadata, {}], "year")
    assert groups.ordered
    assert groups.names[0] == "1990 – 1994"
    assert groups.names[-2:] == ("2014 – 2019", "(none)")
    assert named(groups)[4:6] == ["1990 – 1994", "1995 – 1999"]
    assert named(groups)[-2:] == ["2014 – 2019", "(none)"]
    few = group_chunks(["x"] * 4, [{"year": year} for year in (1, 2, 2, 3)], "year")
    assert few.names == ("2", "1", "3")


def test_numbers_that_no_range_holds() -> None:
    years: list[Any] = [*range(20), 10**400, -(10**400), math.nan, math.inf]
    groups = group_chunks(["x"] * len(years), [{"year": year} for year in years], "year")
    assert groups.ordered
    assert named(groups)[0] == groups.names[0] == "0 – 2"
    assert named(groups)[-4:] == ["(none)"] * 4
    nothing = group_chunks(["x"] * 9, [{"year": float("nan")} for _ in range(9)], "year")
    assert named(nothing) == ["nan"] * 9
    huge = group_chunks(["x"] * 9, [{"year": (1 << 60) + number} for number in range(9)], "year")
    assert not huge.ordered  # as floats they are all the same
