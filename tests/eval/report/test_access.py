"""For everyone: contrast in both themes, colour-blind readers, screen readers, phones and paper."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

FIRST = "data=primer"

# A colour as (red, green, blue), 0 to 1, of what the browser paints: also where a style mixes colours.
PAINTED = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const painted = (...layers) => {
  canvas.clearRect(0, 0, 1, 1);
  for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255);
};
const grounds = node => node ? [...grounds(node.parentElement), getComputedStyle(node).backgroundColor] : [];
"""


def luminance(colour: list[float]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[float], other: list[float]) -> float:
    """Contrast ratio as WCAG 2 defines it, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_every_text(page: Any, make_report: Any, scheme: str) -> None:
    page.open(make_report(failed=("tfidf",)), FIRST, scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.settle()
    texts = page.run(
        PAINTED
        + """return [...document.body.querySelectorAll("*:not(script, option)")]
          .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.checkVisibility())
          .filter(e => !e.closest(".unseen, .skip, :disabled, noscript, #tip"))
          .map(e => {
            const style = getComputedStyle(e), ground = grounds(e), ink = e.closest("svg") ? style.fill : style.color;
            const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.6 && style.fontWeight >= 600);
            return [e.textContent.slice(0, 30), painted(...ground, ink), painted(...ground), large];
          })"""
    )
    assert len(texts) > 300
    weak = {
        (text, round(contrast(ink, ground), 2))
        for text, ink, ground, large in texts
        if contrast(ink, ground) < (3 if large else 4.5)
    }
    assert not weak


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_marks_and_bars(page: Any, make_report: Any, scheme: str) -> None:
    page.open(make_report(), FIRST, scheme=scheme)
    colours = page.run(
        PAINTED
        + """const paper = getComputedStyle(document.body).backgroundColor;
        const of = (selector, key) => [...document.querySelectorAll(selector)].map(e => getComputedStyle(e)[key]);
        const drawn = [...of(".picture .mark", "stroke"), ...of("figure rect", "fill"), ...of(".line", "stroke"),
          ...of(".whisker .point", "fill"), ...of(".base", "stroke"), ...of(".tie.relevant", "stroke")];
        return [painted(paper), drawn.map(colour => painted(paper, colour))]"""
    )
    paper, drawn = colours
    assert len(drawn) > 50
    assert min(contrast(colour, paper) for colour in drawn) >= 3


# What a person without one kind of cone sees, in linear RGB: Machado, Oliveira & Fernandes 2009, severity 1.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(colour: list[float], blindness: str) -> Any:
    """CIE L*a*b* (D65) of an sRGB colour as seen with `blindness`."""
    linear = np.array([v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour])
    seen = np.clip(BLINDNESS[blindness] @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    share = to_xyz @ seen / np.array([0.9505, 1.0, 1.089])
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_for_the_colour_blind(page: Any, make_report: Any, scheme: str) -> None:
    systems = tuple(f"system {number}" for number in range(12))
    page.open(make_report(systems=systems), FIRST, scheme=scheme)
    marks = page.run(
        PAINTED
        + """return [...document.querySelectorAll(".leaderboard tbody .swatch path")].map(m =>
          [m.getAttribute("d"), painted(getComputedStyle(m).stroke)])"""
    )
    both = page.run(
        PAINTED
        + """return ["h4.in-a", "h4.in-b"].map(s => painted(getComputedStyle(document.querySelector(s)).color))"""
    )
    assert len(marks) == 12
    for blindness in BLINDNESS:
        first, second = (lab(colour, blindness) for colour in both)
        assert np.linalg.norm(first - second) > 30  # the pair, which carries meaning
        for (one_shape, one), (other_shape, other) in itertools.combinations(marks, 2):
            # no two systems look the same: another shape, or a colour that is clearly another
            assert one_shape != other_shape or np.linalg.norm(lab(one, blindness) - lab(other, blindness)) > 5


def test_names_for_screen_readers(page: Any, make_report: Any) -> None:
    page.open(make_report(), FIRST)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.settle()
    nodes = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    needed = {
        "button",
        "radio",
        "combobox",
        "searchbox",
        "slider",
        "image",
        "link",
        "table",
        "region",
        "navigation",
    }
    named: dict[str, list[str]] = {}
    for node in nodes:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in needed:
            named.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    nameless = {role for role, names in named.items() if "" in names}
    assert not nameless
    images = named["image"]
    assert "nDCG@10 against latency p50, primer" in images
    assert "Recall after k hits, primer" in images
    assert "\u2068bm25\u2069 minus \u2068onehot\u2069: +0.500, significant" in named["button"]
    assert {"First", "Second", "Measure", "Cost"} == {name.strip() for name in named["combobox"]}


def test_structure(page: Any, make_report: Any) -> None:
    page.open(make_report(), FIRST)
    levels = page.run(
        """return [...document.querySelectorAll("h1, h2, h3, h4")].filter(h => h.checkVisibility())
          .map(h => Number(h.tagName[1]))"""
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for selector in (
        "body > header",
        "main",
        "body > footer",
        "nav[aria-label]",
        "[role=region][aria-label]",
    ):
        assert page.texts(selector), selector
    assert page.run(
        "return [...document.querySelectorAll('table')].every(t => t.caption && t.caption.textContent)"
    )
    assert page.run("return [...document.querySelectorAll('th')].every(t => t.scope)")
    assert page.run("return document.documentElement.lang") == "en"
    ids = page.run("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_every_plot_has_title_description_and_numbers(page: Any, make_report: Any) -> None:
    page.open(make_report(), FIRST)
    for figure in page.browser.find_elements("css selector", "figure"):
        said = page.run(
            """const svg = arguments[0].querySelector("svg[role=img]");
            const ids = ["aria-labelledby", "aria-describedby"].map(name => svg.getAttribute(name));
            return ids.map(id => svg.querySelector(`#${id}`).textContent)""",
            figure,
        )
        assert all(said)
    folds = page.browser.find_elements("css selector", "figure details")
    assert len(folds) == 7  # the differences have theirs below, with a search
    for fold in folds:
        page.run("arguments[0].open = true", fold)
    page.run("document.querySelector('#search details').open = true")
    page.settle()
    assert len(page.texts("figure details table")) == 7
    assert len(page.texts("#search tbody tr")) == 12
    assert page.texts("#trade-time details tbody th") == ["onehot", "tfidf", "bm25", "bm25+minilm"]


def test_everything_is_reached_with_the_keyboard(page: Any, make_report: Any) -> None:
    page.open(make_report(), FIRST)
    clickable = page.run(
        """return [...document.querySelectorAll("button, select, input, summary, a[href], [role=slider]")]
          .filter(e => e.checkVisibility() && !e.disabled && e.tabIndex < 0).length"""
    )
    assert clickable == 0
    sizes = page.run(
        """return [...document.querySelectorAll("button, select, summary")].filter(e => e.checkVisibility())
          .map(e => e.getBoundingClientRect()).filter(b => b.height < 23.5).length"""
    )
    assert sizes == 0  # WCAG 2.2: targets of at least 24 pixels


@pytest.mark.parametrize("width", [360, 768])
def test_no_sideways_scrolling(page: Any, make_report: Any, width: int) -> None:
    page.open(make_report(systems=("onehot", "a-system-with-a-very-long-name-" * 4)), FIRST, width=width)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.settle()
    assert page.run("return document.documentElement.scrollWidth") <= width
    widths = page.run(
        "return [...document.querySelectorAll('svg[role=img]')].map(s => s.getBoundingClientRect().width)"
    )
    assert max(widths) <= width


def test_paper(page: Any, make_report: Any) -> None:
    report = make_report(systems=tuple(f"system-{number}, recursive(tokens=256)" for number in range(12)))
    page.open(report, FIRST, width=700, scheme="dark", media="print")
    page.run("dispatchEvent(new Event('beforeprint'))")
    seen = """return [...document.querySelectorAll(arguments[0])]
      .map(e => e.checkVisibility({contentVisibilityAuto: true}))"""
    assert page.run(seen, "main > section") == [True] * 7
    printed = "#drilldown, #difference svg, #config, #versions, #trade-time svg, #scores-plots svg, #printed"
    assert set(page.run(seen, printed)) == {True}
    for selector in (".toolbar", ".controls", "#search", "#theme", "#swap"):
        assert not page.one(selector).is_displayed(), selector
    cut = page.run(
        """return [...document.querySelectorAll(".scrolling, pre, .passage")]
          .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel || e.className)"""
    )
    assert cut == []
    ground = page.run(PAINTED + "return painted(getComputedStyle(document.body).backgroundColor)")
    assert ground == [1, 1, 1]  # white, whatever the theme
