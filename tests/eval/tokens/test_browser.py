"""The page in a browser: pointer, keys, themes, phone, long passages, texts of strangers."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

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


def test_words_are_shaded_by_what_they_add(page: Any, make: Any) -> None:
    page.open(make(), "keys.md::0")
    assert page.text("h1") == "how often key"
    assert page.text(".where") == "keys.md::0"
    assert page.text("#passage") == "[CLS]rotate the signing-key every week , lunch later[SEP]"
    shades = page.shaded("#passage")
    assert shades["signing-key"] == 100 or shades["every"] == 100
    assert shades["lunch"] < 0 < shades["week"]
    assert "is the sum of what all words add" in page.text("#say")
    assert page.complaints() == []


def test_a_word_of_the_query_shows_what_is_like_it(page: Any, make: Any) -> None:
    page.open(make())
    page.point_at("#query button", "often")
    shades = page.shaded("#passage")
    assert page.text("#say").startswith(
        "often is most like every 0.99, week 0.94"
    )  # cosines of 8 and 20 degrees
    assert shades["every"] > shades["week"] > shades["rotate"]
    assert page.texts("#passage .best") == ["every"]
    page.point_at("#query button", "key", press=True)
    page.point_at("h1", "how often key")
    assert page.texts("#passage .best") == ["signing-key"]  # pressed, it stays
    assert page.run("return document.querySelectorAll('#query [aria-pressed=true]').length") == 1
    page.point_at("#query button", "key", press=True)
    page.point_at("h1", "how often key")
    assert page.texts("#passage .best") == []


def test_keys_alone_are_enough(page: Any, make: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(make())
    page.keys("#passage [tabindex='0']", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.run("return document.activeElement.textContent") == "signing-key"
    assert "most like “\u2068key\u2069”, 1.00" in page.text("#tip")
    assert page.run("return document.querySelectorAll('#passage [tabindex=\"0\"]').length") == 1
    page.keys("#passage [tabindex='0']", Keys.ENTER)
    assert page.texts("#query [aria-pressed=true]") == ["key"]
    page.keys("#passage [tabindex='0']", Keys.END)
    assert page.run("return document.activeElement.textContent") == "[SEP]"
    page.keys("#similarity canvas", Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.text("#announce").startswith("“\u2068how\u2069” and “\u2068the\u2069”:")
    clickable = page.run(
        """return [...document.querySelectorAll("button, select, input, summary, canvas")]
          .filter(e => e.checkVisibility() && !e.disabled && e.tabIndex < 0).length"""
    )
    assert clickable == 0


def test_likeness_where_there_are_no_shares(page: Any, make: Any) -> None:
    page.open(make(sums=False))
    assert page.text("#say").startswith("The score has no shares: similarity only.")
    assert page.run("return document.querySelectorAll('#modes input').length") == 1
    shades = page.shaded("#passage")
    assert shades["signing-key"] == 100  # "key" stands in both
    assert shades["every"] > 50
    assert shades["lunch"] == 0  # like nothing in the query, below the median
    page.open(make())
    page.run("document.querySelector('#modes input[value=like]').click()")
    assert page.text("#say").startswith("Each word by the word of the query")


def test_attention_by_layer_and_head(page: Any, make: Any) -> None:
    page.open(make())
    assert page.run("return document.querySelector('#head').disabled")  # all layers together have no heads
    page.run(
        """for (const [name, value] of [["layer", "1"], ["head", "2"]]) {
          const select = document.getElementById(name); select.value = value;
          select.dispatchEvent(new Event("change"));
        }"""
    )
    assert page.texts("#layer option") == ["all (rollout)", "1", "2"]
    page.point_at("#looking .word", "week", press=True)
    assert page.text("#looks").startswith("week looks at week 100.0 %")  # that head looks at the word itself
    page.run(
        "const s = document.getElementById('head'); s.value = '-1'; s.dispatchEvent(new Event('change'))"
    )
    found = re.match(r"week looks at week ([\d.]+) %", page.text("#looks"))
    assert found is not None
    assert 60 < float(found[1]) < 70  # two heads of three look around, and give it 47 %
    page.run("document.querySelector('input[value=query]').click()")
    assert page.text("#looking .running") == "[CLS]how often key[SEP]"
    assert page.complaints() == []


def test_cells_are_found_where_they_are_drawn(page: Any, make: Any) -> None:
    page.open(make("how often key", " ".join(f"word{number}" for number in range(150))), width=700)
    assert page.run("return similarityMatrix.perBand") < 60  # so that there are bands
    back = page.run(
        """return upTo(152).every(column => upTo(5).every(row => {
          const [x, y] = similarityMatrix.corner(row, column);
          return String(similarityMatrix.cellAt(x + 5, y + 5)) === String([row, column]);
        }))"""
    )
    assert back
    assert page.run("return document.documentElement.scrollWidth") <= 700


def test_tables_of_numbers(page: Any, make: Any) -> None:
    page.open(make())
    page.run("document.querySelector('#numbers').open = true")
    page.settle()
    rows = page.texts("#tables table:last-child tbody tr")
    assert rows[1:] == ["oftenevery0.99", "keysigning-key1.00"]
    assert page.run("return [...document.querySelectorAll('table')].every(t => t.caption.textContent)")
    assert page.run("return [...document.querySelectorAll('th')].every(t => t.scope)")


def test_hostile_text_stays_text(page: Any, make: Any) -> None:
    hostile = "</script><script>alert(1)</script><img/src=x/onerror=alert(2)> \u202eא"
    page.open(make(hostile, hostile, embedder=hostile), hostile)
    page.point_at("#query button", "[U+202E]א", press=True)
    assert page.texts("#passage .word")[1] == "</script><script>alert(1)</script><img/src=x/onerror=alert(2)>"
    assert page.run("return document.querySelectorAll('img, iframe').length") == 0
    assert page.run("return document.querySelectorAll('script').length") == 2
    assert page.complaints() == []


def test_a_long_passage(page: Any, make: Any) -> None:
    passage = " ".join(f"w{number}" for number in range(510))
    page.open(make("often " * 30 + "key", passage, left_out=9_488, maps=100), width=1200)
    assert page.path.stat().st_size < 1_000_000
    assert page.text("#left-out") == "9,488 tokens behind these were not looked at."
    assert page.text("#looking .note") == "Maps are of the first 100 words of 512."
    assert page.run("return document.querySelectorAll('#passage .word').length") == 512
    page.point_at("#query button", "key")
    assert page.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_every_text(page: Any, make: Any, scheme: str) -> None:
    page.open(make(left_out=3), "title", scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.settle()
    texts = page.run(
        PAINTED
        + """return [...document.body.querySelectorAll("*:not(script, option)")]
          .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.checkVisibility())
          .filter(e => !e.closest(".unseen, .skip, :disabled, noscript, #tip, label:has(:disabled)"))
          .map(e => {
            const ground = grounds(e);
            return [e.textContent.slice(0, 30), painted(...ground, getComputedStyle(e).color), painted(...ground)];
          })"""
    )
    assert len(texts) > 60
    weak = {
        (text, round(contrast(ink, ground), 2)) for text, ink, ground in texts if contrast(ink, ground) < 4.5
    }
    assert not weak


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes_and_paper(page: Any, make: Any, scheme: str) -> None:
    page.open(make(), scheme=scheme)
    first = "const [x, y] = similarityMatrix.corner(1, 1); return canvas_().getImageData(x + 4, y + 4, 1, 1).data[0]"
    script = f"const canvas_ = () => document.querySelector('#similarity canvas').getContext('2d'); {first}"
    assert (page.run(script) > 128) == (scheme == "light")
    page.run("document.querySelector('#theme').click()")
    assert (page.run(script) > 128) == (scheme == "dark")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run(script) > 128
    page.run("dispatchEvent(new Event('afterprint'))")
    assert (page.run(script) > 128) == (scheme == "dark")


def test_phone(page: Any, make: Any) -> None:
    page.open(make("how often " + "long" * 30, "word " * 200 + "unbroken" * 40), "x" * 200, width=360)
    assert page.run("return document.documentElement.scrollWidth") <= 360
    sizes = page.run(
        """return [...document.querySelectorAll("button, select, summary")].filter(e => e.checkVisibility())
          .filter(e => e.getBoundingClientRect().height < 23.5).length"""
    )
    assert sizes == 0


def test_structure_and_names(page: Any, make: Any) -> None:
    page.open(make())
    levels = page.run("return [...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = page.run("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    nodes = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nameless = {
        node["role"]["value"]
        for node in nodes
        if not node.get("ignored")
        and node.get("role", {}).get("value")
        in {"button", "radio", "combobox", "application", "region", "link"}
        and not node.get("name", {}).get("value")
    }
    assert not nameless
