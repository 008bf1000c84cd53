"""A test set is true, the same for the same seed, and asks nothing that stands in its own answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ragembed.datasets.make import KINDS, MadeSet, MakeOptions, choose, make_test_set
from ragembed.datasets.make.build import FULL_GAIN, LEAST_PASSAGES, PART_GAIN
from ragembed.datasets.make.choose import DIFFICULTIES, difficulty
from ragembed.datasets.make.sentences import plain
from ragembed.errors import DatasetError, SpecError
from ragembed.types import Document

Library = Callable[..., list[Document]]


def texts_of(made: MadeSet) -> dict[str, str]:
    return {document.id: document.text for document in made.documents}


@pytest.fixture(params=["latin", "cyrillic", "han"])
def made(request: pytest.FixtureRequest, library: Library) -> MadeSet:
    return make_test_set(library(script=request.param), MakeOptions(queries=30, language="none"))


def test_queries_are_asked_in_every_script(made: MadeSet) -> None:
    assert len(made.queries) == 30
    assert made.passages == 40
    assert set(made.count("kind")) == {"heading", "opening"}
    assert [query.id for query in made.queries] == [f"q{number}" for number in range(1, 31)]
    assert len({query.text for query in made.queries}) == 30


def test_answers_are_spans_of_the_documents_as_they_are_written(made: MadeSet, library: Library) -> None:
    texts = texts_of(made)
    for query in made.queries:
        (span,) = made.spans[query.id]
        answer = texts[span.document][span.start : span.end]
        assert span.document == query.drawn_from
        assert answer == answer.strip() != ""
        assert len(answer) > 50
        assert made.qrels[query.id][query.drawn_from] == FULL_GAIN
        assert sorted(set(made.qrels[query.id].values())) in ([FULL_GAIN], [PART_GAIN, FULL_GAIN])


def test_what_is_asked_stands_nowhere(made: MadeSet) -> None:
    everything = "\n".join(plain(text) for text in texts_of(made).values())
    assert [query.text for query in made.queries if query.text in everything] == []


def test_only_what_was_asked_is_gone(made: MadeSet) -> None:
    for document in made.documents:
        assert document.text == document.text.strip()
        assert "\n\n\n" not in document.text
        assert "  " not in document.text
        for start, level, title in document.metadata["headings"]:
            assert document.text[start:].startswith(f"{'#' * level} {title}")


def test_the_same_seed_gives_the_same_set_and_another_gives_another(library: Library) -> None:
    documents = library()
    one, same, other = (make_test_set(documents, MakeOptions(queries=10, seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert [query.text for query in one.queries] != [query.text for query in other.queries]


def test_a_near_duplicate_is_relevant_too_and_loses_the_same_text(library: Library) -> None:
    documents = library(20)
    copy = Document("copy", documents[0].text.replace("# ", "# Copy of "), documents[0].metadata)
    made = make_test_set(
        [*documents, copy], MakeOptions(queries=40, kinds=("opening", "sentence"), language="none")
    )
    texts = texts_of(made)
    twice = [query for query in made.queries if len(made.spans[query.id]) == 2]
    assert len(twice) == 2  # of each section, asked of one of the two
    for query in twice:
        assert made.qrels[query.id]["d0"] == made.qrels[query.id]["copy"] == FULL_GAIN
        assert {span.document for span in made.spans[query.id]} == {"d0", "copy"}
        assert query.text not in texts["d0"]
        assert query.text not in texts["copy"]


def test_boilerplate_is_not_asked(library: Library) -> None:
    notice = "Copying and distribution of pages are permitted in every medium."
    documents = library()
    for number in range(5):
        one = documents[number]
        text = one.text.replace("\n\n", f"\n\n{notice} Pages of such a medium need no copying. ", 1)
        documents[number] = Document(one.id, text, {})
    made = make_test_set(documents, MakeOptions(queries=100, kinds=("opening",)))
    assert notice not in [query.text for query in made.queries]
    assert made.dropped["its words stand elsewhere too"] >= 1


def test_fewer_queries_than_asked_for(library: Library) -> None:
    made = make_test_set(library(), MakeOptions(queries=1000))
    assert 35 <= len(made.queries) <= made.passages == 40  # one of a passage


def test_only_the_kinds_that_are_named(library: Library) -> None:
    made = make_test_set(library(), MakeOptions(queries=8, kinds=("phrases",)))
    assert made.count("kind") == {"phrases": 8}


def test_kept_text(library: Library) -> None:
    documents = library()
    made = make_test_set(documents, MakeOptions(queries=12, kinds=("opening",), keep_text=True))
    assert made.documents == documents
    texts = texts_of(made)
    assert all(query.text in texts[query.drawn_from] for query in made.queries)
    for query in made.queries:
        (span,) = made.spans[query.id]
        assert texts[span.document][span.start : span.end] in texts[query.drawn_from]


def test_definitions_are_answered_by_their_sentence(library: Library) -> None:
    said = "Quokka is a small animal of the family of kangaroos that lives on some islands."
    documents = [*library(), Document("q", f"{said} {library(1, seed=9)[0].text.splitlines()[2]}")]
    made = make_test_set(documents, MakeOptions(queries=40))
    (query,) = [query for query in made.queries if query.kind == "definition"]
    assert query.text == "what is quokka"
    (span,) = made.spans[query.id]
    assert texts_of(made)["q"][span.start : span.end] == said


def test_too_few_documents(library: Library) -> None:
    with pytest.raises(DatasetError, match=f"3 documents hold 6 passages; .* at least {LEAST_PASSAGES}"):
        make_test_set(library(3))
    with pytest.raises(DatasetError, match="0 documents hold 0 passages"):
        make_test_set([])


def test_documents_without_words_that_tell_anything() -> None:
    documents = [Document(f"d{number}", "the same words again and again " * 10) for number in range(30)]
    with pytest.raises(DatasetError, match="no query could be drawn from 30 passages"):
        make_test_set(documents)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queries": 0}, "0 queries are asked for; ask for at least 1"),
        ({"kinds": ("riddle",)}, f"unknown kind of query 'riddle'; valid are: {', '.join(KINDS)}"),
        ({"kinds": ()}, "no kind of query is named"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        MakeOptions(**options)  # type: ignore[arg-type]


def test_unknown_language(library: Library) -> None:
    with pytest.raises(SpecError, match="klingon"):
        make_test_set(library(), MakeOptions(language="klingon"))


def test_difficulty() -> None:
    levels = [difficulty(overlap) for overlap in (0, 0.33, 1 / 3, 0.5, 2 / 3, 1)]
    assert levels == ["hard", "hard", "medium", "medium", "easy", "easy"]
    assert sum(DIFFICULTIES.values()) == pytest.approx(1)


def test_the_same_whatever_python_hashes_strings_to(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = MakeOptions(queries=30, language="none")
    made = make_test_set(library(), options)
    monkeypatch.setattr(choose, "hash", lambda _: 0, raising=False)  # as if all collided
    assert make_test_set(library(), options).queries == made.queries


def test_an_empty_document_is_counted_and_left_out(library: Library) -> None:
    made = make_test_set([*library(), Document("empty", "")], MakeOptions(queries=5, language="none"))
    assert "empty" not in texts_of(made)
    with pytest.raises(DatasetError, match=r"^1 document holds 0 passages;"):
        make_test_set([Document("empty", "")])


def test_a_seed_below_0_is_refused() -> None:
    with pytest.raises(DatasetError, match="the seed is -5; give a whole number from 0"):
        MakeOptions(seed=-5)
