"""Small reports whose answers a reader can work out, and their pages in a browser."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragembed.eval.report import write_report

MEASURES = ["nDCG@10", "R@100"]
DEPTHS = [1, 2, 5, 10, 100]
Report = dict[str, Any]
MakeReport = Callable[..., Report]


@pytest.fixture(scope="session")
def make_report() -> MakeReport:
    """A function that makes a report of any size, always the same for the same arguments."""
    return fake_report


def fake_report(
    datasets: tuple[str, ...] = ("primer", "handbook"),
    systems: tuple[str, ...] = ("onehot", "tfidf", "bm25", "bm25+minilm"),
    queries: int = 12,
    documents: int = 40,
    failed: tuple[str, ...] = (),
    seed: int = 0,
) -> Report:
    """A report in which each system is better than the one before it, and the last one is recommended.

    What a system finds is drawn at random; means, differences, wins and costs follow from it or from its number.
    """
    rng = random.Random(seed)
    made = [_dataset(rng, name, systems, queries, documents, failed) for name in datasets]
    return {
        "format": 1,
        "ragembed": "0.1.0",
        "title": "Which embedder for the handbook?",
        "machine": "a test machine, 2 cores",
        "versions": {"numpy": "2.4.6"},
        "config": {"embedders": list(systems), "seed": seed},
        "measures": MEASURES,
        "primary": "nDCG@10",
        "k": 100,
        "confidence": 0.95,
        "systems": [
            {"name": name, "embedder": name, "chunker": "whole", "index_type": "flat", "fusion": None}
            for name in systems
        ],
        "datasets": made,
        "overall": _overall(made, systems, failed) if len(made) > 1 else None,
        "recommendation": {
            "system": len(systems) - 1,
            "headline": f"{systems[-1]} finds best",
            "reasons": ["It has the highest nDCG@10.", "The difference to the next is significant."],
            "doubts": ["Twelve queries are few."],
        },
    }


def _dataset(
    rng: random.Random,
    name: str,
    systems: tuple[str, ...],
    queries: int,
    documents: int,
    failed: tuple[str, ...],
) -> Report:
    relevant = [
        [[number, rng.randint(1, 3)] for number in rng.sample(range(documents), 4)] for _ in range(queries)
    ]
    results = [
        {"error": "it needs trained vectors; give it some"}
        if system in failed
        else _result(rng, number, 3 * number / max(1, len(systems) - 1), relevant, documents)
        for number, system in enumerate(systems)
    ]
    means = [result.get("means") for result in results]
    pairs = {measure: _pairs(results, measure) for measure in MEASURES}
    return {
        "name": name,
        "split": "test",
        "documents": documents,
        "judgements": 4 * queries,
        "queries": [
            {"id": f"{name}-q{query}", "text": f"how does part {query} of the {name} work", "relevant": found}
            for query, found in enumerate(relevant)
        ],
        "texts": [
            {"id": f"{name}-d{number}", "text": f"Part {number} of the {name} works like part {number + 1}."}
            for number in range(documents)
        ],
        "results": results,
        "comparisons": pairs,
        "groups": {measure: _letters(means, pairs[measure]) for measure in MEASURES},
        "detectable": dict.fromkeys(MEASURES, 0.125),
    }


def _result(rng: random.Random, number: int, skill: float, relevant: list[Any], documents: int) -> Report:
    """Of each query's four relevant documents the system finds `skill` or one more, half and half."""
    hits, values = [], []
    luck = [2 * query / len(relevant) for query in range(len(relevant))]
    rng.shuffle(luck)
    for found, lucky in zip(relevant, luck, strict=True):
        known = [document for document, _ in found]
        first = known[: int(skill + lucky)]
        order = first + rng.sample([document for document in range(documents) if document not in known], 10)
        hits.append(
            [
                [
                    document,
                    round(9.5 - rank, 3),
                    0,
                    40,
                    f"a passage about part {document}" if number == 1 else None,
                ]
                for rank, document in enumerate(order[:10])
            ]
        )
        values.append(len(first) / 4)
    per_query = dict.fromkeys(MEASURES, values)
    mean = sum(values) / len(values)
    return {
        "means": dict.fromkeys(MEASURES, mean),
        "intervals": {measure: [mean - 0.05, mean + 0.05] for measure in MEASURES},
        "per_query": per_query,
        "cost": {
            "index_seconds": 0.5 * 4**number,
            "query_seconds": 0.1 * (number + 1),
            "latency_ms": {"p50": 0.4 * 5**number, "p95": 0.9 * 5**number, "p99": 5.0**number, "queries": 12},
            "vector_bytes": 100_000 * (number + 1),
            "index_bytes": 120_000 * (number + 1),
            "peak_memory_bytes": 10**8 * (number + 1),
            "chunks": documents,
            "truncated_chunks": number,
            "truncated_tokens": 10 * number,
        },
        "recall": {"k": DEPTHS, "values": [mean * share for share in (0.2, 0.4, 0.6, 0.9, 1.0)]},
        "scores": {
            "edges": [step / 2 for step in range(21)],
            "relevant": [0] * 10 + [5] * 10,
            "other": [8] * 20,
        },
        "judged": 0.25,
        "hits": hits,
    }


def _pairs(results: list[Report], measure: str) -> list[Report]:
    pairs = []
    for a, b in itertools.combinations(range(len(results)), 2):
        if "error" in results[a] or "error" in results[b]:
            continue
        both = zip(results[a]["per_query"][measure], results[b]["per_query"][measure], strict=True)
        differences = [first - second for first, second in both]
        mean = sum(differences) / len(differences)
        pairs.append(
            {
                "a": a,
                "b": b,
                "difference": mean,
                "low": mean - 0.1,
                "high": mean + 0.1,
                "p": 0.001 if abs(mean) > 0.2 else 0.2,
                "p_holm": 0.006 if abs(mean) > 0.2 else 0.4,
                "effect": 3 * mean,
                "wins": sum(difference > 0 for difference in differences),
                "ties": sum(difference == 0 for difference in differences),
                "losses": sum(difference < 0 for difference in differences),
            }
        )
    return pairs


def _letters(means: list[Report | None], pairs: list[Report]) -> list[str]:
    """``a`` for the best system and all that do not differ from it, ``b`` for the rest."""
    best = max(
        (i for i, mean in enumerate(means) if mean), key=lambda i: (means[i] or {})[MEASURES[0]], default=-1
    )
    apart = {(pair["a"], pair["b"]) for pair in pairs if pair["p_holm"] < 0.05}
    return [
        "" if mean is None else "b" if (min(i, best), max(i, best)) in apart else "a"
        for i, mean in enumerate(means)
    ]


def _overall(datasets: list[Report], systems: tuple[str, ...], failed: tuple[str, ...]) -> Report:
    means: list[Report | None] = []
    for number, system in enumerate(systems):
        of = [dataset["results"][number] for dataset in datasets]
        means.append(
            None
            if system in failed
            else {measure: sum(result["means"][measure] for result in of) / len(of) for measure in MEASURES}
        )
    return {
        "means": means,
        "intervals": [
            mean and {key: [value - 0.03, value + 0.03] for key, value in mean.items()} for mean in means
        ],
        "comparisons": datasets[0]["comparisons"],
        "groups": datasets[0]["groups"],
    }


class Page:
    """The page of a report in the browser."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser = browser
        self.folder = folder

    def open(
        self, report: Report, at: str = "", width: int = 1280, scheme: str = "light", media: str = ""
    ) -> None:
        """Write `report` and open it at ``#at`` in a window of `width` pixels, as a theme and a medium see it."""
        write_report(self.folder, report)
        self.browser.get("about:blank")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self.browser.get_log("browser")
        self.browser.get_log("performance")
        self.browser.get((self.folder / "report.html").as_uri() + (f"#{at}" if at else ""))
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for has been laid out and drawn."""
        self.browser.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """What `script` returns in the page."""
        return self.browser.execute_script(script, *arguments)

    def one(self, selector: str) -> Any:
        """The first element that fits."""
        return self.browser.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """The text of every element that fits, white space joined."""
        nodes = "return [...document.querySelectorAll(arguments[0])].map(node => node.textContent)"
        return [" ".join(text.split()) for text in self.run(nodes, selector)]

    def press(self, selector: str) -> None:
        """Click with the mouse."""
        self.one(selector).click()
        self.settle()

    def keys(self, selector: str, *keys: str) -> None:
        """Focus an element and type."""
        self.run("document.querySelector(arguments[0]).focus()", selector)
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()
        self.settle()

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select by its text."""
        from selenium.webdriver.support.select import Select

        Select(self.one(selector)).select_by_visible_text(value)
        self.settle()

    def complaints(self) -> list[str]:
        """What the console has said since the page was opened."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Page:
    """A page that is not opened yet."""
    return Page(chromium, tmp_path)
