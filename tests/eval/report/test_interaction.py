"""What a reader can do with the page, with the mouse and with the keyboard."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

FIRST = "data=primer"
NAMES = ".leaderboard tbody .named"
# as WebDriver sends them
ENTER, SPACE, END, HOME, LEFT, RIGHT = "\ue007", "\ue00d", "\ue010", "\ue011", "\ue012", "\ue014"


def address(page: Any) -> dict[str, str]:
    """The state that the address holds."""
    return {key: values[0] for key, values in parse_qs(page.run("return location.hash.slice(1)")).items()}


def test_no_complaint_and_no_request(page: Any, make_report: Any) -> None:
    page.open(make_report(failed=("tfidf",)))
    for step in (
        "#views label:nth-of-type(2) input",
        ".leaderboard thead th:nth-child(5) button",
        "#theme",
        "#swap",
    ):
        page.press(step)
    page.choose("#measure", "R@100")
    for summary in page.browser.find_elements("css selector", "summary"):
        page.run("arguments[0].click()", summary)
    page.settle()
    assert page.complaints() == []
    assert all(url.startswith(("file:", "data:")) for url in page.requests())


def test_the_policy_stops_requests(page: Any, make_report: Any) -> None:
    page.open(make_report())
    page.run("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    assert "Content Security Policy" in " ".join(
        page.complaints()
    )  # so that a silent console means something


def test_sorting_with_mouse_and_keyboard(page: Any, make_report: Any) -> None:
    page.open(make_report(failed=("tfidf",)), FIRST)
    latency = ".leaderboard thead th:nth-child(6)"
    assert page.texts(f"{latency} button") == ["Latency p50"]
    assert page.texts(NAMES) == ["bm25+minilm", "bm25", "onehot", "tfidf"]  # by quality, the failed one last
    page.press(f"{latency} button")
    assert page.texts(NAMES) == ["onehot", "bm25", "bm25+minilm", "tfidf"]
    assert page.one(latency).get_attribute("aria-sort") == "ascending"
    page.keys(f"{latency} button", ENTER)
    assert page.texts(NAMES) == ["bm25+minilm", "bm25", "onehot", "tfidf"]
    assert page.one(latency).get_attribute("aria-sort") == "descending"
    assert page.texts("#announce") == ["Sorted by Latency p50, largest first"]
    page.keys(".leaderboard thead th:first-child button", SPACE)
    assert page.texts(NAMES) == ["bm25", "bm25+minilm", "onehot", "tfidf"]
    assert page.one(latency).get_attribute("aria-sort") == "none"


@pytest.mark.parametrize("table", [".leaderboard", ".costs"])
def test_every_column_sorts(page: Any, make_report: Any, table: str) -> None:
    page.open(make_report(), FIRST)
    heads = page.browser.find_elements("css selector", f"{table} thead button")
    assert len(heads) >= 10
    for head in heads:
        orders = []
        for _ in range(2):
            page.run("arguments[0].click()", head)
            orders.append(page.texts(f"{table} tbody .named"))
        sort = page.run("return arguments[0].closest('th').getAttribute('aria-sort')", head)
        assert sort in ("ascending", "descending")
        tied = {"Judged": 4, "Chunks": 4, "Group": 2}.get(head.text.replace("\n", " "), 0)
        assert tied or orders[0] == orders[1][::-1], head.text


def test_failed_system_shows_its_error(page: Any, make_report: Any) -> None:
    page.open(make_report(failed=("tfidf",)), FIRST)
    assert page.texts(".leaderboard .failed") == ["tfidfFailed: it needs trained vectors; give it some"]
    assert "tfidf" not in page.texts("#system-a option")
    assert "tfidf" not in " ".join(page.texts("#trade-time .label"))


def test_groups(page: Any, make_report: Any) -> None:
    report = make_report()
    page.open(report, FIRST)
    shown = dict(zip(page.texts(NAMES), page.texts(".leaderboard td.group"), strict=True))
    names = [system["name"] for system in report["systems"]]
    assert shown == dict(zip(names, report["datasets"][0]["groups"]["nDCG@10"], strict=True))
    assert "share a letter do not differ significantly" in page.texts("#leaderboard-say")[0]
    assert "differences of at least 0.125" in page.texts("#leaderboard-say")[0]


def test_switching_dataset_and_measure(page: Any, make_report: Any) -> None:
    report = make_report()
    report["datasets"][1]["results"][0]["means"]["R@100"] = 0.987
    page.open(report)
    assert page.texts("#views label") == ["Overall", "primer", "handbook"]
    assert page.texts("#by-dataset h3") == ["nDCG@10 on each data set"]
    assert not page.one("#queries-body").is_displayed()
    page.keys("#views input", RIGHT, RIGHT)
    assert address(page)["data"] == "handbook"
    assert page.texts("#by-dataset h3") == []
    assert page.one("#queries-body").is_displayed()
    page.choose("#measure-here", "R@100")
    assert page.one("#measure").get_attribute("value") == "R@100"
    assert page.texts(NAMES)[0] == "onehot"
    assert page.texts(".leaderboard tbody .value")[0] == "0.987"
    assert page.texts("#trade-time figcaption") == ["R@100 against latency p50, handbook"]
    page.browser.back()
    page.settle()
    assert page.texts("#trade-time figcaption") == ["nDCG@10 against latency p50, primer"]
    page.browser.back()
    page.settle()
    assert page.texts("#by-dataset h3") != []


def test_pairs(page: Any, make_report: Any) -> None:
    report = make_report()
    page.open(report, FIRST)
    pairs = {(pair["a"], pair["b"]): pair for pair in report["datasets"][0]["comparisons"]["nDCG@10"]}
    cells = page.run(
        """return [...document.querySelectorAll(".matrix button")].map(b =>
          [Number(b.dataset.a), Number(b.dataset.b), b.textContent, b.className])"""
    )
    assert len(cells) == 12  # every pair from both sides
    for a, b, text, kind in cells:
        pair = pairs[min(a, b), max(a, b)]
        value = pair["difference"] * (1 if a < b else -1)
        real = pair["p_holm"] < 0.05
        assert text == f"{value:+.3f}".replace("-", "−") + ("*" if real else "")
        assert kind == (("up" if value > 0 else "down") if real else "open")
    page.press(".matrix button[data-a='1'][data-b='2']")
    assert address(page)["a"] == "tfidf"
    assert address(page)["b"] == "bm25"
    assert page.one(".matrix button[aria-pressed=true]").get_attribute("data-b") == "2"
    said = page.texts("#pair-say")[0]
    assert said.startswith(f"tfidf minus bm25 is {pairs[1, 2]['difference']:+.3f}".replace("-", "−"))
    page.run("document.querySelector('#pairs-table summary').click()")
    page.settle()
    assert len(page.texts("table.pairs tbody tr")) == 6


def test_what_a_comparison_adds(page: Any, make_report: Any) -> None:
    report = make_report()
    dataset = report["datasets"][0]
    dataset["detectable_adjusted"] = {"nDCG@10": 0.2}
    dataset["results"][2]["notes"] = ["the chunker was cut to 128 tokens <b>"]
    for pair in dataset["comparisons"]["nDCG@10"]:
        pair.update(significant=False, needed=1234)  # the comparison knows, whatever p may be
    page.open(report, f"{FIRST}&a=bm25%2Bminilm&b=onehot")
    assert "at least 0.125 (0.200 after correction for all pairs)" in page.texts("#leaderboard-say")[0]
    assert page.texts("#notes li") == ["bm25: the chunker was cut to 128 tokens <b>"]
    assert page.texts(".matrix .up, .matrix .down") == []
    assert page.texts("#pair-say")[0].endswith("takes about 1,234 queries.")


def test_documents_that_the_collection_lacks(page: Any, make_report: Any) -> None:
    for lacking, said in ((None, "The collection lacks this document."), ("", "A document without text.")):
        report = make_report()
        for text in report["datasets"][0]["texts"]:
            text["text"] = lacking
        page.open(report, FIRST)
        assert set(page.texts(".side-a .passage")) == {said}


def test_empty_results(page: Any, make_report: Any) -> None:
    report = make_report()
    result = report["datasets"][0]["results"][0]
    result.update(hits=[[] for _ in result["hits"]], recall={"k": [], "values": []}, judged=None)
    result["scores"] = {"edges": [], "relevant": [], "other": []}
    result["cost"] = dict.fromkeys(result["cost"])
    page.open(report, f"{FIRST}&a=onehot&b=bm25")
    assert page.texts(".side-a .note") == ["It found nothing."]
    assert len(page.run("return [...document.querySelectorAll('#trade-time .picture > svg .mark')]")) == 3
    assert page.complaints() == []


def test_drilldown(page: Any, make_report: Any) -> None:
    report = make_report()
    dataset = report["datasets"][0]
    query = 5
    page.open(report, f"{FIRST}&a=bm25&b=tfidf&query=primer-q{query}")
    assert page.texts("#drilldown-title") == [dataset["queries"][query]["text"]]
    gains = dict(dataset["queries"][query]["relevant"])
    found = {name: dataset["results"][system]["hits"][query] for name, system in (("a", 2), ("b", 1))}
    ids = [text["id"] for text in dataset["texts"]]
    for side, other in (("a", "b"), ("b", "a")):
        hits, others = found[side], [hit[0] for hit in found[other]]
        assert page.texts(f".side-{side} .hit .id") == [ids[hit[0]] for hit in hits]
        assert page.texts(f".side-{side} .hit .sign") == [
            f"✓ relevant, gain {gains[hit[0]]}" if hit[0] in gains else "not judged relevant" for hit in hits
        ]
        assert [name.split()[0] for name in page.texts(f".side-{side} .hit .there")] == [
            "rank" if hit[0] in others else "not" for hit in hits
        ]
        ranks = [f"rank {others.index(hit[0]) + 1} in" for hit in hits if hit[0] in others]
        there = page.texts(f".side-{side} .hit .there")
        assert [text.rsplit(" ", 1)[0] for text in there if text.startswith("rank")] == ranks
    assert page.texts(".side-b .passage")[0] == found["b"][0][4]  # its own passage
    assert (
        page.texts(".side-a .passage")[0] == dataset["texts"][found["a"][0][0]]["text"]
    )  # the document's beginning
    neither = set(gains) - {hit[0] for side in found.values() for hit in side}
    assert set(page.texts(".missed .id")) == {ids[number] for number in neither}
    assert {"part", "primer", "works"} <= set(page.texts("#drilldown mark")) | {"Part"}


def test_opening_queries(page: Any, make_report: Any) -> None:
    report = make_report(queries=20)
    page.open(report, f"{FIRST}&a=bm25&b=tfidf")
    assert "query" not in address(page)
    page.keys(".slider", END, ENTER)
    worst = page.texts("#drilldown .kicker")[0]
    assert worst.startswith("Query 20 of 20")
    assert page.texts("#drilldown-title") == [
        next(q["text"] for q in report["datasets"][0]["queries"] if q["id"] == address(page)["query"])
    ]
    page.keys(".slider", LEFT)
    assert page.one("#tip").is_displayed()
    assert "difference" in page.one("#tip").text
    assert page.one(".slider").get_attribute("aria-valuenow") == "19"
    assert "19 of 20" in page.one(".slider").get_attribute("aria-valuetext")
    page.keys("#drilldown-title")
    page.press("#drilldown .controls button:first-child")
    assert page.texts("#drilldown .kicker")[0].startswith("Query 19 of 20")
    page.keys("#find", "part 13 ")
    assert page.texts("#search tbody th") == ["how does part 13 of the primer work"]
    page.press("#search tbody button")
    assert page.texts("#drilldown-title") == ["how does part 13 of the primer work"]
    assert page.run("return document.activeElement.id") == "drilldown-title"


def test_bars_are_where_the_pointer_is(page: Any, make_report: Any) -> None:
    page.open(make_report(queries=20), f"{FIRST}&a=bm25&b=tfidf")
    query = page.run(
        """const bar = [...document.querySelectorAll("#difference rect")].at(-1), box = bar.getBoundingClientRect();
        const click = new MouseEvent("click", {clientX: box.x + box.width / 2, bubbles: true});
        document.querySelector(".slider").dispatchEvent(click);
        return bar.dataset.query"""
    )
    assert address(page)["query"] == f"primer-q{query}"


def test_address_restores_the_view(page: Any, make_report: Any) -> None:
    report = make_report()
    page.open(report, "data=handbook&measure=R%40100&a=onehot&b=bm25%2Bminilm&query=handbook-q3&theme=dark")
    assert page.one("#views input:checked").get_attribute("value") == "2"
    assert page.one("#measure").get_attribute("value") == "R@100"
    assert page.one("#system-a").get_attribute("value") == "0"
    assert page.one("#system-b").get_attribute("value") == "3"
    assert page.texts("#drilldown-title") == ["how does part 3 of the handbook work"]
    assert page.one("#theme").get_attribute("aria-pressed") == "true"
    page.press("#swap")
    kept = page.run("return location.hash.slice(1)")
    assert address(page) == {
        "data": "handbook",
        "measure": "R@100",
        "a": "bm25+minilm",
        "b": "onehot",
        "query": "handbook-q3",
        "theme": "dark",
    }
    page.open(report, kept)
    assert page.one("#system-a").get_attribute("value") == "3"
    page.open(report, "data=nothing&measure=x&a=y&b=y&query=z&theme=pink")
    assert page.one("#views input:checked").get_attribute("value") == "0"
    assert page.complaints() == []


def test_one_dataset_and_one_system(page: Any, make_report: Any) -> None:
    page.open(make_report(datasets=("primer",), systems=("bm25", "tfidf"), failed=("tfidf",)))
    assert not page.one("#views").is_displayed()
    assert page.texts("#pairs-say") == ["There are no comparisons for nDCG@10."]
    assert "Two systems with results" in page.texts("#queries-elsewhere")[0]
    assert page.complaints() == []


def test_nothing_worked(page: Any, make_report: Any) -> None:
    report = make_report(datasets=("primer",), systems=("bm25", "tfidf"), failed=("bm25", "tfidf"))
    report["recommendation"] = {"system": None, "headline": "Nothing worked", "reasons": [], "doubts": []}
    page.open(report)
    assert len(page.texts(".leaderboard .failed")) == 2
    assert page.complaints() == []


HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>",
    "\u202egnorw\u2067\u2028",
    "&lt;b&gt; \"'`${1}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(page: Any, make_report: Any, text: str) -> None:
    report = make_report(datasets=(text, "second"), systems=("onehot", text))
    report["recommendation"].update(headline=text, reasons=[text], doubts=[text])
    for dataset in report["datasets"]:
        for query in dataset["queries"]:
            query["text"] = text
        for document in dataset["texts"]:
            document["text"] = text
    page.open(report)
    page.press("#views label:nth-of-type(2) input")
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.keys(".slider", RIGHT)
    shown = page.run("return [document.title, document.querySelectorAll('script:not([type]), img').length]")
    assert shown == ["Which embedder for the handbook?", 1]
    assert page.complaints() == []
    assert page.run("return document.querySelector('#drilldown-title').textContent") == text
    assert page.run("return document.querySelector('h1').textContent") == text
    assert text in page.run("return [...document.querySelectorAll('.named bdi')].map(n => n.textContent)")
    # an override in it does not turn what stands around it
    assert page.run(
        "return [...document.querySelectorAll('bdi')].every(b => getComputedStyle(b).unicodeBidi === 'isolate')"
    )
