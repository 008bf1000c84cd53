"""The page as text: one file, no request, nothing of the data as markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from ragembed.errors import DatasetError
from ragembed.eval.report import write_report
from ragembed.eval.report.html import SCRIPTS, render_html


class Elements(HTMLParser):
    """Every element with its attributes, and the content of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag if tag in self.raw else ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.raw[self._open].append(data)


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--"


def test_one_file_without_requests(make_report: Any) -> None:
    page = Elements(render_html(make_report()))
    for tag, attributes in page.found:
        assert tag not in ("iframe", "object", "embed", "img", "base")
        assert not {"src", "srcset", "action", "style"} & set(attributes)
        assert all(not name.startswith("on") for name in attributes)
        assert tag != "link" or attributes["href"] == "data:,"
    scripts = [attributes.get("type") for tag, attributes in page.found if tag == "script"]
    assert scripts.count(None) == 1
    assert set(scripts) == {None, "application/json"}
    assert not re.search(r"url\(|@import", page.raw["style"][0])


def test_policy_allows_this_script_and_style_only(make_report: Any) -> None:
    page = Elements(render_html(make_report()))
    policy = next(attributes["content"] or "" for tag, attributes in page.found if "http-equiv" in attributes)
    script = next(text for text in page.raw["script"] if "use strict" in text)
    for text in (script, page.raw["style"][0]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_hostile_names_do_not_become_elements(make_report: Any) -> None:
    report = make_report(systems=("onehot", HOSTILE), datasets=(HOSTILE,))
    tame = Elements(render_html(make_report(systems=("onehot", "b"), datasets=("c",))))
    for key in ("title", "machine", "ragembed"):
        report[key] = HOSTILE
    report["recommendation"].update(headline=HOSTILE, reasons=[HOSTILE, HOSTILE], doubts=[HOSTILE])
    report["datasets"][0]["texts"][0]["text"] = HOSTILE
    report["config"] = {HOSTILE: HOSTILE}
    page = Elements(render_html(report))
    assert [tag for tag, _ in page.found] == [tag for tag, _ in tame.found]


def test_text_that_utf8_cannot_hold(make_report: Any, tmp_path: Path) -> None:
    report = make_report()
    report["datasets"][0]["texts"][0]["text"] = "half \ud83d, null \x00"
    write_report(tmp_path, report)
    assert "half \ufffd, null \\u0000" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_other_formats_are_refused(make_report: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="format 2, this version of ragembed renders 1"):
        write_report(tmp_path, {**make_report(), "format": 2})
    assert list(tmp_path.iterdir()) == []


def test_every_script_is_on_the_page() -> None:
    folder = resources.files("ragembed.eval.report")
    assert sorted(SCRIPTS) == sorted(file.name for file in folder.iterdir() if file.name.endswith(".js"))
    assert len(SCRIPTS) == len(set(SCRIPTS))


def test_same_report_same_page(make_report: Any) -> None:
    assert render_html(make_report()) == render_html(make_report())
