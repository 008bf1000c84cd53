"""The plots in a real browser: what is drawn, how many of it, and whether it stands where its value is."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

FIRST = "data=primer"


def points(page: Any, selector: str) -> dict[int, tuple[float, float]]:
    """Place of every mark of a system, from its transform."""
    found = page.run(
        "return [...document.querySelectorAll(arguments[0])].map(m => [m.dataset.system, m.getAttribute('transform')])",
        selector,
    )
    return {int(system): tuple(map(float, re.findall(r"-?[\d.]+", place))) for system, place in found}  # type: ignore[misc]


def linear(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Slope and greatest deviation of the line through the first and the last of (value, pixel)."""
    pairs = sorted(pairs)
    (x0, y0), (x1, y1) = pairs[0], pairs[-1]
    slope = (y1 - y0) / (x1 - x0)
    return slope, max(abs(y0 + slope * (x - x0) - y) for x, y in pairs)


def test_every_plot_is_drawn_inside_its_frame(page: Any, make_report: Any) -> None:
    page.open(make_report(), FIRST)
    frames = page.run(
        """return [...document.querySelectorAll("figure svg[role=img]")].map(svg => {
          const frame = svg.getBoundingClientRect();
          const shapes = [...svg.querySelectorAll("path, rect, line, text")].map(s => s.getBoundingClientRect());
          const out = shapes.filter(s => s.left < frame.left - 2 || s.right > frame.right + 2 || s.top < frame.top - 2
            || s.bottom > frame.bottom + 2);
          return [svg.querySelector("title").textContent, shapes.length, out.length];
        })"""
    )
    titles = [title for title, _, _ in frames]
    assert len(frames) == 2 + 1 + 1 + 4  # two trades, differences, recall, scores of four systems
    assert titles[0] == "nDCG@10 against latency p50, primer"
    assert all(shapes >= 8 and outside == 0 for _, shapes, outside in frames), frames


def test_trade_points_stand_where_their_values_are(page: Any, make_report: Any) -> None:
    report = make_report()
    page.open(report, FIRST)
    results = report["datasets"][0]["results"]
    marks = points(page, "#trade-time .picture > svg .mark")
    assert sorted(marks) == [0, 1, 2, 3]
    slope, off = linear(
        [(math.log(results[i]["cost"]["latency_ms"]["p50"]), x) for i, (x, _) in marks.items()]
    )
    assert slope > 0  # dearer is further right, by logarithm, since 0.4 to 50 ms is more than a decade
    assert off < 0.1
    slope, off = linear([(results[i]["means"]["nDCG@10"], y) for i, (_, y) in marks.items()])
    assert slope < 0  # better is further up
    assert off < 0.1
    marks = points(page, "#trade-memory .picture > svg .mark")
    slope, off = linear([(results[i]["cost"]["vector_bytes"], x) for i, (x, _) in marks.items()])
    assert slope > 0  # 100 to 400 kB is less than a decade: not by logarithm
    assert off < 0.1


def test_pareto_front(page: Any, make_report: Any) -> None:
    report = make_report()
    results = report["datasets"][0]["results"]
    results[2]["means"]["nDCG@10"] = (
        results[1]["means"]["nDCG@10"] - 0.01
    )  # dearer than 1 and worse: off the front
    page.open(report, FIRST)
    hollow = page.run(
        "return [...document.querySelectorAll('#trade-time .hollow')].map(m => Number(m.dataset.system))"
    )
    assert hollow == [2]
    steps = page.run("return document.querySelector('#trade-time .front').getAttribute('d')")
    assert steps.count("V") == 2  # up to the second, up to the third system on the front
    described = page.run("return document.querySelector('#trade-time desc').textContent")
    assert re.search(r"onehot \(.*tfidf \(.*bm25\+minilm \(", described)


def test_names_of_points_cover_neither_points_nor_names(page: Any, make_report: Any) -> None:
    names = tuple(f"embedder-{number}, recursive(tokens=256)" for number in range(12))
    for width in (1280, 360):
        page.open(make_report(systems=names), FIRST, width=width)
        assert (
            page.run(
                """const box = e => e.getBoundingClientRect();
            const names = [...document.querySelectorAll("#trade-time .label")].map(box);
            const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
              && a.top < b.bottom - 4 && b.top < a.bottom - 4;
            return names.filter((a, i) => names.some((b, j) => j > i && hit(a, b))).length"""
            )
            == 0
        )


def test_difference_bars(page: Any, make_report: Any) -> None:
    report = make_report(queries=40)
    page.open(report, f"{FIRST}&a=bm25&b=tfidf")
    first, second = (report["datasets"][0]["results"][i]["per_query"]["nDCG@10"] for i in (2, 1))
    differences = {i: a - b for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b}
    bars = page.run(
        """return [...document.querySelectorAll("#difference rect")].map(r =>
          [+r.dataset.query, r.getAttribute("class"), ...["x", "y", "height"].map(k => Number(r.getAttribute(k)))])"""
    )
    assert len(bars) == len(differences) > 10
    zero = next(y + height for _, name, _, y, height in bars if name == "bar-a")
    for query, name, _, y, height in bars:
        assert name == ("bar-a" if differences[query] > 0 else "bar-b")
        assert (y + height if name == "bar-a" else y) == pytest.approx(
            zero, abs=0.02
        )  # they stand on one line
    _, off = linear(
        [(differences[query], height if name == "bar-a" else -height) for query, name, *_, height in bars]
    )
    assert off < 0.1
    in_order = [differences[query] for query, *_ in sorted(bars, key=lambda bar: bar[2])]
    assert in_order == sorted(in_order, reverse=True)


def test_recall_curves(page: Any, make_report: Any) -> None:
    report = make_report()
    page.open(report, FIRST)
    lines = page.run(
        "return [...document.querySelectorAll('#depth-plot .line')].map(l => [+l.dataset.system, l.getAttribute('d')])"
    )
    assert sorted(system for system, _ in lines) == [0, 1, 2, 3]
    placed = []
    for system, path in lines:
        curve = report["datasets"][0]["results"][system]["recall"]
        corners = [tuple(map(float, corner.split())) for corner in re.findall(r"[\d.]+ [\d.]+", path)]
        assert len(corners) == len(curve["k"])
        slope, off = linear([(math.log(k), x) for k, (x, _) in zip(curve["k"], corners, strict=True)])
        assert slope > 0
        assert off < 0.2
        placed += [(value, y) for value, (_, y) in zip(curve["values"], corners, strict=True)]
    assert linear(placed)[1] < 0.2
    assert sorted(page.texts("#depth-plot .label")) == ["bm25", "bm25+minilm", "onehot", "tfidf"]


def test_score_histograms(page: Any, make_report: Any) -> None:
    report = make_report()
    report["datasets"][0]["results"][3]["scores"] = {"edges": [0, 1, 2], "relevant": [1, 3], "other": [4, 0]}
    page.open(report, FIRST)
    bars = page.run(
        """return [...document.querySelectorAll("#scores-plots figure:first-child rect")].map(r =>
          [r.getAttribute("class"), Number(r.getAttribute("height"))])"""
    )
    relevant = [height for name, height in bars if name == "bar-relevant"]
    other = [height for name, height in bars if name == "bar-other"]
    assert relevant[1] == pytest.approx(3 * relevant[0], rel=0.01)
    assert other == [pytest.approx(4 / 3 * relevant[1], rel=0.01)]  # all of its kind, against three quarters
    # of 16 pairs 12 are in order, and the 4 within the first bin count half
    assert "above another: 88 %" in page.texts("#scores-plots figure:first-child .label")


def test_intervals_in_the_leaderboard(page: Any, make_report: Any) -> None:
    report = make_report()
    page.open(report, FIRST)
    drawn = page.run(
        """return [...document.querySelectorAll(".leaderboard tbody tr")].map(row => {
          const svg = row.querySelector(".whisker"), at = (q, k) => Number(svg.querySelector(q).getAttribute(k));
          const system = Number(row.querySelector("[data-system]").dataset.system);
          return [system, at(".span", "x1"), at(".point", "cx"), at(".span", "x2")];
        })"""
    )
    results = report["datasets"][0]["results"]
    pairs = []
    for system, low, middle, high in drawn:
        mean, bounds = results[system]["means"]["nDCG@10"], results[system]["intervals"]["nDCG@10"]
        pairs += [(bounds[0], low), (mean, middle), (bounds[1], high)]
    slope, off = linear(pairs)
    assert slope > 0
    assert off < 0.1


def test_plots_follow_the_width(page: Any, make_report: Any) -> None:
    page.open(make_report(), FIRST)
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 600, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    page.settle()
    widths = page.run(
        "return [...document.querySelectorAll('.picture > svg')].map(s => s.viewBox.baseVal.width)"
    )
    assert max(widths) <= 600
