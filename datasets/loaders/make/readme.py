"""What a test set says of itself to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ragembed.datasets.make.build import MadeSet

_KINDS = {
    "heading": "the title of a section or document, cut from it; the section is the answer",
    "opening": "the first sentence of a section or document, cut from it; the rest is the answer",
    "sentence": "another sentence, cut from its passage; the rest is the answer",
    "phrases": "the most telling phrases of a sentence, which is cut; the rest is the answer",
    "definition": "“what is X” of a sentence “X is a …”; that sentence is the answer, and stays",
    "docstring": "the first sentence of a docstring, cut from its function; the function is the answer",
}
_LIMITS = (
    "It ranks systems; it does not say how good they are. The values of the measures are not those that people's"
    " questions would give. docs/testsets.md of ragembed says how far the order was found to be that of people.",
    "Nobody has judged anything: a query may be odd, and documents that answer it may be unjudged.",
    "Queries are in the words of the documents' authors. People who do not know these words ask otherwise, and"
    " misspell; systems that bridge that are better than this test set shows.",
    "Questions that need several documents, figures, dates or logic are not asked.",
    "Differences that are small here may be none: look at the confidence intervals.",
)


def readme(facts: dict[str, Any], made: MadeSet) -> Iterator[str]:
    """The lines of README.md."""
    yield f"# Test set made of {facts['source']}"
    yield ""
    yield (
        f"{facts['queries']} queries over {facts['documents']} documents ({facts['passages']} passages,"
        f" language: {facts['language']}), made by ragembed {facts['ragembed']} without a language model,"
        f" seed {facts['seed']}."
    )
    if facts["queries"] < facts["asked"]:
        yield f"{facts['asked']} were asked for; the documents hold no more. make.json says why others were not taken."
    if facts["keep_text"]:
        yield (
            "**The text that queries were drawn from was left in the documents (`keep_text`). Systems that match words"
            " are at a large advantage here, and their lead says nothing.**"
        )
    yield ""
    yield "| kind of query | queries | how it is made | example |"
    yield "|---|---|---|---|"
    for kind, count in made.count("kind").items():
        example = next(query.text for query in made.queries if query.kind == kind).replace("|", "\\|")
        yield f"| {kind} | {count} | {_KINDS[kind]} | {example} |"
    yield ""
    yield "| difficulty | queries | share of the query's words, by idf, that stand in its answer |"
    yield "|---|---|---|"
    for name, share in (("easy", "two thirds or more"), ("medium", "one third or more"), ("hard", "less")):
        yield f"| {name} | {made.count('difficulty').get(name, 0)} | {share} |"
    yield ""
    yield (
        "`corpus.jsonl` holds the documents without the text that queries were drawn from. `qrels/test.tsv`: gain 3"
        " for the document of a query and its near-duplicates, gain 1 for up to three documents that are most like"
        " that passage. `spans.jsonl`: where the answers stand."
    )
    yield ""
    yield "## What it cannot measure"
    yield ""
    for limit in _LIMITS:
        yield f"- {limit}"
