from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import LimitError
from ragembed.read.html import main_text
from ragembed.read.html_parse import parse_html
from ragembed.types import Document

ReadOne = Callable[..., Document]
LONG = "Words about keys, and how to rotate them without downtime. " * 5


def text_of(body: str) -> str:
    return main_text(parse_html(body))[0].text


def test_blocks_lists_and_breaks() -> None:
    assert text_of(
        "<p>One\n two<p>Three<br>four<br><br>five<ul><li>a<li>b<ol><li>c</ol></ul><div>d</div>e"
    ) == ("One two\n\nThree\nfour\n\nfive\n\n- a\n- b\n  - c\n\nd\ne")


def test_code_is_kept_as_it_is() -> None:
    page = "<p>Run</p><pre><code>def f():\n    <b>return</b> 1\n\n\n# end\n</code></pre><p>then</p>"
    assert text_of(page) == "Run\n\ndef f():\n    return 1\n\n\n# end\n\nthen"


def test_tables_row_by_row() -> None:
    page = (
        "<table><thead><tr><th>Name<th>What it does</thead>"
        "<tbody><tr><td><code>k1</code><td><p>Saturation</p><p>of terms</p><tr><td>b<td></table>"
    )
    assert text_of(page) == "Name | What it does\nk1 | Saturation of terms\nb | "


def test_tables_for_layout_are_taken_apart() -> None:
    inner = "<table><tr><td>a<td>b</table>"
    assert text_of(f"<table><tr><td>Menu<td><p>Words</p>{inner}</table>") == "Menu\n\nWords\n\na | b"
    numbered = (
        '<table class="highlighttable"><tr><td class=linenos><pre>1\n2</pre><td><pre>a\n  b</pre></table>'
    )
    assert text_of(numbered) == "a\n  b"


def test_furniture_is_left_out() -> None:
    page = f"""<body><header><a href=/>Site</a></header><nav>Menu</nav><div role=search>Find</div>
    <div class="Sidebar left">Side</div><main><h1>Keys<a class=headerlink>¶</a></h1><p>{LONG}</p>
    <aside class="admonition note">Mind this.</aside><aside>Related</aside><button>Copy</button>
    <div hidden>Secret</div><div style="display: none">Gone</div><div role=tabpanel hidden>pip install x</div>
    <form>Mail <input></form><script>x()</script><style>p {{}}</style></main><footer>Imprint</footer>"""
    assert text_of(page) == f"Keys\n\n{LONG.strip()}\n\nMind this.\npip install x"


def test_a_header_within_the_text_or_with_the_only_title_stays() -> None:
    assert text_of(f"<header><h1>Keys</h1></header><p>{LONG}").startswith("Keys\n\nWords")
    assert text_of(f"<article><header><h1>Keys</h1></header><p>{LONG}</article>").startswith("Keys\n\nWords")


def test_a_small_main_is_not_trusted() -> None:
    assert LONG.strip() in text_of(f"<main>Loading</main><div><p>{LONG}</div>")


def test_a_page_in_a_form_stays() -> None:
    assert LONG.strip() in text_of(f"<form id=aspnetForm><p>{LONG}</form>")


def test_without_main_the_densest_block_is_taken() -> None:
    page = (
        f"<div><div>Ten words of chatter</div><div id=x><h1>Keys</h1><p>{LONG}</p><p>{LONG}</p></div></div>"
    )
    assert text_of(page) == f"Keys\n\n{LONG.strip()}\n\n{LONG.strip()}"
    links = "<ul>" + "<li><a href=x>chapter</a>" * 3 + "</ul>"
    assert text_of(f"<div><p>Intro</p></div><div>{links}</div>") == "Intro\n\n- chapter\n- chapter\n- chapter"


def test_metadata(read_one: ReadOne) -> None:
    page = f"""<!doctype html><html lang=de><head><title>Keys — Manual</title>
    <meta name=description content="How  to"><meta name=author content=Ada></head>
    <body><h1>Keys</h1><p>{LONG}</p><h3>Deeper <em>down</em></h3>{LONG}"""
    document = read_one("a.html", page)
    assert dict(document.metadata) == {
        "path": "a.html",
        "format": "html",
        "title": "Keys",
        "lang": "de",
        "description": "How to",
        "authors": ["Ada"],
        "headings": [[0, 1, "Keys"], [document.text.index("Deeper"), 3, "Deeper down"]],
    }


def test_declared_charset(read_one: ReadOne) -> None:
    page = '<html><head><meta http-equiv="content-type" content="text/html; charset=windows-1254"></head><p>'
    document = read_one("a.html", page.encode() + "şehirde yürüyüşe".encode("cp1254"))
    assert document.text == "şehirde yürüyüşe"
    assert document.metadata["encoding"] == "cp1254"


def test_xhtml_elements_that_close_themselves(read_one: ReadOne) -> None:
    page = '<?xml version="1.0"?><html><head><title/><script src="x"/></head><a id="x"/><p>Words</p>'
    assert read_one("a.xhtml", page).text == "Words"


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000,
        "<b>" * 6_000 + "<p>" * 50_000,
        "".join(f"<b id={n}>" for n in range(4_000)) + "<p>x" * 20_000,
    ],
)
def test_nesting_that_would_take_ages_is_refused(page: str) -> None:
    started = time.perf_counter()
    with pytest.raises(LimitError, match="nests elements more than 5,000 deep"):
        parse_html(page)
    assert time.perf_counter() - started < 5


def test_deep_but_allowed_nesting_is_read() -> None:
    assert text_of("<div>" * 4_000 + "deep" + "</div>" * 4_000) == "deep"


def test_many_forms_take_linear_time() -> None:
    assert text_of("<form>x</form>" * 20_000 + f"<p>{LONG}") == LONG.strip()


PIECES = (
    "<p> </p> <div> </div> <table> <tr> <td> </table> <ul> <li> </ul> <pre> </pre> <h2> </h2> <main> </main> "
    "<a> </a> <br> <nav> </nav> <!-- --> word é &lt;"
)


@given(st.lists(st.sampled_from(PIECES.split()), max_size=40).map("".join))
def test_headings_stand_where_they_say(page: str) -> None:
    composer, _ = main_text(parse_html(page))
    for start, _, title in composer.headings:
        assert composer.text[start:].startswith(title)
        assert start == 0 or composer.text[start - 1] == "\n"


def test_real_pages(shared_data: Path, read_one: ReadOne) -> None:
    folder = shared_data / "docs_tree" / "haystack" / "test" / "test_files" / "html"
    page = read_one("a.html", (folder / "what_is_haystack.html").read_bytes())
    assert page.text.startswith(
        "What is Haystack?\n\nHaystack is the open source Python framework by deepset"
    )
    assert "\n- Semantic search on a large collection of documents in any language\n" in page.text
    assert [title for _, level, title in page.metadata["headings"] if level == 3] == [
        "Components",
        "Pipelines",
        "Agents",
    ]
    essay = read_one("b.html", (folder / "paul_graham_superlinear.html").read_bytes())
    assert essay.text.startswith("October 2023\n\nOne of the most important things")
    assert "<" not in essay.text
