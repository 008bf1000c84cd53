"""A comparison from collections and systems to the report, and what happens when it is stopped or cannot go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ragembed.errors import DatasetError, QueryError, SpecError, StoreError
from ragembed.eval.answers import answer
from ragembed.eval.compare import Entry, Job, JobError, RunFile, Settings, compare
from ragembed.eval.compare.assemble import _with_memory
from ragembed.eval.compare.folder import read_config, read_report
from ragembed.eval.compare.job import run_job
from ragembed.eval.compare.outcome import Outcome, outcome
from ragembed.eval.compare.reproduce import reproduction
from ragembed.eval.compare.settings import distinct_names
from ragembed.eval.names import parse_measures
from ragembed.eval.runs import read_run, write_run
from ragembed.eval.systems import System, grid
from ragembed.types import Document

SYSTEMS = grid(["bm25(language=none)", "onehot(language=none)", "bm25(language=none)+tfidf(language=none)"])
SETTINGS = Settings.make("nDCG@10,SpanR@1", rounds=200)


def test_a_report_holds_every_number(tiny: Any, tmp_path: Path) -> None:
    report = compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "report", SETTINGS)
    assert {path.name for path in (tmp_path / "report").iterdir()} - {".lock"} == {
        "config.json", "report.json", "report.html", "report.md", "runs",
    }  # fmt: skip
    assert json.loads(json.dumps(report)) == read_report(tmp_path / "report")
    [dataset] = report["datasets"]
    assert [query["id"] for query in dataset["queries"]] == ["q1", "q2", "q3"]
    direct = outcome(tiny, answer(tiny, SYSTEMS[0], SETTINGS.measures, 100, shown=10), SETTINGS.measures, 100)
    result = dataset["results"][0]
    assert result["means"] == direct.means
    assert result["per_query"] == direct.per_query
    assert result["recall"] == direct.recall
    assert sum(result["scores"]["relevant"]) + sum(result["scores"]["other"]) == sum(
        map(len, direct.run.values())
    )
    number, score, *_ = result["hits"][0][0]
    assert (dataset["texts"][number]["id"], score) == ("pears", max(direct.run["q1"].values()))
    assert dataset["queries"][1]["relevant"] == [[next(
        n for n, text in enumerate(dataset["texts"]) if text["id"] == "plums"
    ), 2]]  # fmt: skip
    pairs = dataset["comparisons"]["nDCG@10"]
    assert [(pair["a"], pair["b"]) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]
    for pair in pairs:
        means = [dataset["results"][s]["means"]["nDCG@10"] for s in (pair["a"], pair["b"])]
        assert pair["difference"] == pytest.approx(means[0] - means[1])
    assert all(dataset["groups"]["nDCG@10"])
    [file] = (tmp_path / "report" / "runs" / "tiny").glob("1-bm25*.trec")
    assert read_run(file) == {query: pytest.approx(found) for query, found in direct.run.items()}


def test_several_collections_have_a_mean(tiny: Any, tmp_path: Path) -> None:
    other = replace(
        tiny, queries={"q1": "river sea", "q2": "sun"}, qrels={"q1": {"rain": 1}, "q2": {"figs": 1}}, spans={}
    )
    entries = [Entry(tiny, "a"), Entry(other, "b")]
    report = compare(entries, SYSTEMS, tmp_path / "report", Settings.make("nDCG@10", rounds=200))
    assert [dataset["name"] for dataset in report["datasets"]] == ["tiny", "tiny (test)"]
    for s in range(3):
        means = [dataset["results"][s]["means"]["nDCG@10"] for dataset in report["datasets"]]
        assert report["overall"]["means"][s]["nDCG@10"] == pytest.approx(sum(means) / 2)
    assert len(report["overall"]["comparisons"]["nDCG@10"]) == 3


def test_it_goes_on_where_it_was_stopped(tiny: Any, tmp_path: Path) -> None:
    whole = compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "whole", SETTINGS)
    done: list[int] = []

    def stopped(job: Job, progress: Any) -> Outcome:
        if job.number == 2 and len(done) == 2:
            raise KeyboardInterrupt
        done.append(job.number)
        return run_job(job, progress)

    with pytest.raises(KeyboardInterrupt):
        compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "report", SETTINGS, execute=stopped)
    assert not (tmp_path / "report" / "report.json").exists()
    done.append(-1)
    report = compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "report", SETTINGS, execute=stopped)
    assert done == [0, 1, -1, 2]
    assert reproduction(whole, report).differences == ()
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        path.name for path in (tmp_path / "whole").iterdir()
    }


def test_a_half_written_outcome_is_made_again(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS, execute=_until(1))
    [saved] = (tmp_path / "r" / "work").glob("*.json")
    saved.write_text(saved.read_text()[:100])
    report = compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS)
    assert "means" in report["datasets"][0]["results"][0]


def test_other_options_do_not_go_on(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS, execute=_until(1))
    with pytest.raises(
        StoreError, match="an unfinished comparison with other systems; give the same options"
    ):
        compare([Entry(tiny, "tiny")], SYSTEMS[:2], tmp_path / "r", SETTINGS)
    changed = replace(tiny, documents=tiny.documents[:3])
    with pytest.raises(StoreError, match="with other datasets"):
        compare([Entry(changed, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS)
    compare([Entry(tiny, "tiny")], SYSTEMS[:2], tmp_path / "r", SETTINGS, force=True)
    assert len(read_config(tmp_path / "r")["systems"]) == 2


def test_a_report_is_not_overwritten(tiny: Any, tmp_path: Path) -> None:
    compare([Entry(tiny, "tiny")], SYSTEMS[:1], tmp_path / "r", SETTINGS)
    with pytest.raises(StoreError, match="holds a comparison already; name another folder, give --force"):
        compare([Entry(tiny, "tiny")], SYSTEMS[:1], tmp_path / "r", SETTINGS)
    compare([Entry(tiny, "tiny")], SYSTEMS[:1], tmp_path / "r", SETTINGS, force=True)


def test_files_of_others_are_never_removed(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match=r"holds 'thesis\.tex', which is of no comparison"):
        compare([Entry(tiny, "tiny")], SYSTEMS[:1], tmp_path, SETTINGS, force=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_system_that_fails_does_not_stop_the_others(tiny: Any, tmp_path: Path) -> None:
    def failing(job: Job, progress: Any) -> Outcome:
        if job.number == 1:
            raise JobError("its process was killed")
        return run_job(job, progress)

    report = compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS, execute=failing)
    assert report["datasets"][0]["results"][1] == {"error": "its process was killed"}
    assert report["datasets"][0]["groups"]["nDCG@10"][1] == ""
    assert [(p["a"], p["b"]) for p in report["datasets"][0]["comparisons"]["nDCG@10"]] == [(0, 2)]
    assert (
        'onehot(language="none") failed on tiny: its process was killed.'
        in report["recommendation"]["doubts"]
    )


def test_a_document_that_cannot_be_indexed_is_told(tiny: Any, tmp_path: Path) -> None:
    half = "\ud800"
    broken = replace(tiny, documents=[*tiny.documents, Document(f"bad{half}", "text")])
    report = compare([Entry(broken, "x")], SYSTEMS[:1], tmp_path / "r", SETTINGS)
    assert "cannot be indexed" in report["datasets"][0]["results"][0]["error"]
    assert report["recommendation"]["system"] is None


def test_ids_that_no_trec_run_holds_are_kept_in_json(tiny: Any, tmp_path: Path) -> None:
    spaced = replace(tiny, documents=[*tiny.documents, Document("my file.md", "cool room again")], spans={})
    compare([Entry(spaced, "x")], SYSTEMS[:1], tmp_path / "r", Settings.make("nDCG@10", rounds=100))
    [run] = (tmp_path / "r" / "runs" / "tiny").iterdir()
    assert run.suffix == ".json"
    assert "my file.md" in json.loads(run.read_text())["q1"]


def test_what_makes_no_sense_is_refused_before_any_work(tiny: Any, tmp_path: Path) -> None:
    def never(job: Job, progress: Any) -> Outcome:
        raise AssertionError

    one = replace(tiny, qrels={"q1": {"pears": 1}})
    with pytest.raises(DatasetError, match="tiny has 1 judged query; systems are compared on at least 2"):
        compare([Entry(one, "x")], SYSTEMS, tmp_path / "r", SETTINGS, execute=never)
    with pytest.raises(DatasetError, match="tiny has no reference spans"):
        compare([Entry(replace(tiny, spans={}), "x")], SYSTEMS, tmp_path / "r", SETTINGS, execute=never)
    with pytest.raises(QueryError, match="nothing to compare"):
        compare([], SYSTEMS, tmp_path / "r", SETTINGS, execute=never)
    with pytest.raises(QueryError, match="confidence is 2"):
        Settings.make("nDCG@10", confidence=2)
    assert not (tmp_path / "r").exists()


def test_names_of_collections_differ(tiny: Any) -> None:
    dev = replace(tiny, split="dev")
    assert distinct_names([Entry(each, "") for each in (tiny, dev, dev, dev)]) == [
        "tiny", "tiny (dev)", "tiny 2", "tiny 3",
    ]  # fmt: skip


def test_an_outcome_survives_json(tiny: Any) -> None:
    measures = parse_measures("nDCG@10,AP")
    made = outcome(tiny, answer(tiny, System.make("bm25"), measures, 10, shown=3, timed=True), measures, 10)
    assert Outcome.from_json(json.loads(json.dumps(made.to_json()))) == made


def _until(jobs: int) -> Any:
    def execute(job: Job, progress: Any) -> Outcome:
        if job.number >= jobs:
            raise KeyboardInterrupt
        return run_job(job, progress)

    return execute


def test_a_system_that_answered_elsewhere_is_compared(tiny: Any, tmp_path: Path) -> None:
    write_run(tmp_path / "tiny.trec", {"q1": {"pears": 2.0, "rain": 1.0}, "q2": {"rain": 1.0}}, tag="other")
    systems = [SYSTEMS[0], RunFile.parse(f"mine = {tmp_path}/{{dataset}}.trec")]
    report = compare([Entry(tiny, "x")], systems, tmp_path / "r", Settings.make("R@1,nDCG@10", rounds=100))
    [dataset] = report["datasets"]
    assert report["systems"][1]["name"] == "mine"
    assert dataset["results"][1]["per_query"]["R@1"] == [1.0, 0.0, 0.0]  # q3 is not answered
    assert dataset["results"][1]["cost"]["latency_ms"] is None
    assert [dataset["texts"][hit[0]]["id"] for hit in dataset["results"][1]["hits"][0]] == ["pears", "rain"]


def test_what_a_run_cannot_say_is_refused(tiny: Any, tmp_path: Path) -> None:
    mine = RunFile("mine", str(tmp_path / "none.trec"))
    with pytest.raises(QueryError, match="the run of mine says nothing of chunks"):
        compare([Entry(tiny, "x")], [mine], tmp_path / "r", SETTINGS)
    plain = Settings.make("nDCG@10", rounds=100)
    with pytest.raises(QueryError, match="two systems are called 'mine'"):
        compare([Entry(tiny, "x")], [mine, mine], tmp_path / "r", plain)
    with pytest.raises(QueryError, match=r"there is no run .*none\.trec"):
        compare([Entry(tiny, "x")], [SYSTEMS[0], mine], tmp_path / "r", plain)
    with pytest.raises(SpecError, match=r"run 'file\.trec' has no name; write NAME=FILE"):
        RunFile.parse("file.trec")


def test_what_failed_is_tried_again(tiny: Any, tmp_path: Path) -> None:
    done: list[int] = []

    def failing(job: Job, progress: Any) -> Outcome:
        done.append(job.number)
        if len(done) == 2:
            raise JobError("its process was killed")
        return run_job(job, progress)

    first = compare([Entry(tiny, "x")], SYSTEMS, tmp_path / "r", SETTINGS, execute=failing)
    assert "error" in first["datasets"][0]["results"][1]
    again = compare([Entry(tiny, "x")], SYSTEMS, tmp_path / "r", SETTINGS, execute=failing)
    assert done == [0, 1, 2, 1]
    assert not any("error" in result for result in again["datasets"][0]["results"])


def test_a_run_that_changed_is_not_gone_on_from(tiny: Any, tmp_path: Path) -> None:
    run = tmp_path / "tiny.trec"
    write_run(run, {"q1": {"pears": 1.0}})
    systems = [RunFile("mine", str(run)), SYSTEMS[0]]
    plain = Settings.make("nDCG@10", rounds=100)
    with pytest.raises(KeyboardInterrupt):
        compare([Entry(tiny, "x")], systems, tmp_path / "r", plain, execute=_until(1))
    write_run(run, {"q1": {"rain": 1.0}})
    with pytest.raises(StoreError, match="an unfinished comparison with other systems"):
        compare([Entry(tiny, "x")], systems, tmp_path / "r", plain)


def test_left_indexes_of_killed_jobs_are_removed(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare([Entry(tiny, "x")], SYSTEMS, tmp_path / "r", SETTINGS, execute=_until(1))
    left = tmp_path / "r" / "work" / "ragembed-eval-1234"
    left.mkdir()

    def looking(job: Job, progress: Any) -> Outcome:
        assert not left.exists()
        assert job.scratch == (tmp_path / "r" / "work").absolute()
        return run_job(job, progress)

    compare([Entry(tiny, "x")], SYSTEMS, tmp_path / "r", SETTINGS, execute=looking)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"measures": "NumRelRet"}, "is a sum over queries"),
        ({"measures": "nDCG@10", "rounds": 0}, "rounds is 0"),
        ({"measures": "nDCG@10", "seed": -1}, "seed is -1"),
    ],
)
def test_settings_that_would_fail_at_the_end_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises((QueryError, SpecError), match=fault):
        Settings.make(**options)


def test_an_infinite_score_is_refused(tiny: Any, tmp_path: Path) -> None:
    run = tmp_path / "tiny.trec"
    run.write_text("q1 Q0 pears 1 inf x\nq1 Q0 rain 2 1.0 x\n")
    systems = [SYSTEMS[0], RunFile("mine", str(run))]
    report = compare([Entry(tiny, "x")], systems, tmp_path / "r", Settings.make("nDCG@10", rounds=100))
    assert (
        "gives document 'pears' the score inf for query 'q1'" in report["datasets"][0]["results"][1]["error"]
    )


def test_memory_of_a_hybrid_is_that_of_its_parts_at_least(tiny: Any) -> None:
    measures = parse_measures("nDCG@10")
    made = outcome(tiny, answer(tiny, SYSTEMS[0], measures, 10), measures, 10)
    assert made.cost is not None

    def of(peak: int, cached: int) -> Outcome:
        assert made.cost is not None
        return replace(made, cost=replace(made.cost, peak_memory_bytes=peak, cached_chunks=cached))

    told = _with_memory(SYSTEMS, [of(900, 0), of(5000, 0), of(300, 4)])
    assert [each.cost.peak_memory_bytes for each in told if isinstance(each, Outcome) and each.cost] == [
        900,
        5000,
        900,
    ]


@pytest.mark.parametrize("name", ["runs/my.trec", "report.md", "config.json"])
def test_force_removes_nothing_but_a_comparison(tiny: Any, tmp_path: Path, name: str) -> None:
    mine = tmp_path / "r" / name
    mine.parent.mkdir(parents=True)
    mine.write_text('{"name": "of another program"}')
    with pytest.raises(StoreError, match="is no comparison that can be gone on from"):
        compare([Entry(tiny, "x")], SYSTEMS[:1], tmp_path / "r", SETTINGS, force=True)
    assert mine.exists()
    assert {path.name for path in (tmp_path / "r").iterdir()} == {name.partition("/")[0]}  # no lock is left


def test_a_collection_counts_once(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="b and a are the same collection; name it once"):
        compare([Entry(tiny, "a"), Entry(replace(tiny, name="copy"), "b")], SYSTEMS, tmp_path / "r", SETTINGS)


def test_collections_of_one_name_have_each_their_run(tiny: Any, tmp_path: Path) -> None:
    other = replace(tiny, queries={**tiny.queries, "q1": "river"}, qrels={**tiny.qrels, "q1": {"rain": 1}})
    write_run(tmp_path / "tiny.trec", {"q1": {"pears": 1.0}})
    write_run(tmp_path / "tiny (test).trec", {"q1": {"rain": 1.0, "nowhere": 0.5}})
    systems = [RunFile("mine", f"{tmp_path}/{{dataset}}.trec"), SYSTEMS[0]]
    report = compare(
        [Entry(tiny, "a"), Entry(other, "b")], systems, tmp_path / "r", Settings.make("R@1", rounds=100)
    )
    assert [d["results"][0]["per_query"]["R@1"][0] for d in report["datasets"]] == [1.0, 1.0]
    assert (
        "mine on tiny: 2 judged queries are not answered, and score 0." in report["recommendation"]["doubts"]
    )
    assert any(
        "1 of its documents is not in the collection" in doubt for doubt in report["recommendation"]["doubts"]
    )


@pytest.mark.parametrize(
    "damage", ['{"means": {}}', '{"per_query": {"nDCG@10": [1.0], "SpanR@1": [1.0]}}', "[]", "{"]
)
def test_a_damaged_outcome_is_made_again(tiny: Any, tmp_path: Path, damage: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS, execute=_until(1))
    [saved] = (tmp_path / "r" / "work").glob("*.json")
    try:
        saved.write_text(json.dumps({**json.loads(saved.read_text()), **json.loads(damage)}))
    except (ValueError, TypeError):
        saved.write_text(damage)
    (tmp_path / "r" / "work" / "vectors.db").write_bytes(b"no database " * 100)
    report = compare([Entry(tiny, "tiny")], SYSTEMS, tmp_path / "r", SETTINGS)
    assert report["datasets"][0]["results"][0]["means"]["nDCG@10"] > 0


def test_the_order_of_parts_makes_no_other_system() -> None:
    assert [system.name for system in grid(["bm25+tfidf", "tfidf+bm25"])] == ["bm25+tfidf"]


def test_a_document_without_text_is_not_a_document_that_is_not_there(tiny: Any, tmp_path: Path) -> None:
    documents = [*tiny.documents, Document("blank", "")]
    odd = replace(tiny, documents=documents, qrels={**tiny.qrels, "q1": {"blank": 1, "gone": 1}})
    report = compare([Entry(odd, "x")], SYSTEMS[:1], tmp_path / "r", SETTINGS)
    texts = {text["id"]: text["text"] for text in report["datasets"][0]["texts"]}
    assert (texts["blank"], texts["gone"]) == ("", None)
