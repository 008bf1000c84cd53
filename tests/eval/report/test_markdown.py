"""report.md: what it says, and that nothing in a name becomes markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ragembed.eval.report.markdown import plain, render_markdown

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tables(text: str) -> list[list[list[str]]]:
    """The cells of every table as a reader sees them."""
    found = re.findall(r"<table>(.*?)</table>", RENDERER.render(text), re.DOTALL)
    return [
        [
            re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        ]
        for table in found
    ]


def test_leaderboards(make_report: Any) -> None:
    report = make_report()
    overall, pairs, first, *_ = tables(render_markdown(report))
    assert overall[0] == ["system", "nDCG@10", "group", "R@100"]
    means = {
        system["name"]: mean["nDCG@10"]
        for system, mean in zip(report["systems"], report["overall"]["means"], strict=True)
    }
    assert [row[0] for row in overall[1:]] == sorted(means, key=lambda name: -means[name])
    assert overall[1][1].startswith(f"{max(means.values()):.3f} (")
    assert pairs[0] == ["better", "worse", "difference", "p (Holm)", "effect"]
    assert first[0][-1] == "cut off"
    assert first[1][0] == "bm25+minilm"
    assert first[1][-5:] == ["50 ms", "112 ms", "400 kB", "400 MB", "3"]


def test_only_significant_pairs_are_listed_better_first(make_report: Any) -> None:
    report = make_report(datasets=("primer",))
    real = [pair for pair in report["datasets"][0]["comparisons"]["nDCG@10"] if pair["p_holm"] < 0.05]
    assert real
    text = render_markdown(report)
    assert f"{len(real)} of 6 pairs differ significantly" in text
    rows = tables(text)[1][1:]
    names = [system["name"] for system in report["systems"]]
    assert len(rows) == len(real)
    for better, worse, *_ in rows:
        assert names.index(better) > names.index(worse)  # in this report each system beats those before it


def test_failures_doubts_and_configuration_are_told(make_report: Any) -> None:
    text = render_markdown(make_report(failed=("tfidf",)))
    assert "tfidf failed: it needs trained vectors; give it some" in text
    assert "## Doubts\n\n- Twelve queries are few." in text
    assert '"embedders": [' in text


def test_markup_in_names_stays_text(make_report: Any) -> None:
    bad = "a|b <img src=x onerror=alert(1)> [c](http://d) `e` **f** \u0000\ud800"
    report = make_report(systems=("onehot", bad), datasets=("primer", bad))
    report["config"] = {"fence": "```\n<script>"}
    report["recommendation"]["headline"] = bad
    text = render_markdown(report)
    text.encode()
    page = RENDERER.render(text)
    assert not re.search(r"<(img|a|em|script)\b", page)
    assert page.count("<strong>") == 1  # the headline
    assert all(len(row) == len(table[0]) for table in tables(text) for row in table)
    assert any("a|b &lt;img" in cell for table in tables(text) for row in table for cell in row)


def test_only_what_is_markup_is_escaped() -> None:
    assert (
        plain("nDCG@10 (mean), bm25 @ recursive(tokens=96)!")
        == "nDCG@10 (mean), bm25 @ recursive(tokens=96)!"
    )
    assert plain("ask @somebody") == "ask \\@somebody"


@given(st.text(alphabet="ab|*_`<>[]()!#~\\ \n&;{}$@-+.1"))
def test_plain_renders_as_itself(text: str) -> None:
    line = " ".join(text.split())
    shown = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert RENDERER.render(f"x{plain(line)}x") == f"<p>x{shown}x</p>\n"
    if line:
        assert RENDERER.render(f"- {plain(line)}").replace("\n", "") == f"<ul><li>{shown}</li></ul>"


def test_written_beside_the_page(make_report: Any, tmp_path: Path) -> None:
    from ragembed.eval.report import write_report

    write_report(tmp_path, make_report())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]
