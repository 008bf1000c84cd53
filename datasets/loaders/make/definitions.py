"""Questions from the shape of a sentence or heading: ``X is a …`` and ``Install the …``.

These are the only parts of the builder that know a language. Where none of `DEFINING` is the collection's, there
are no queries of that kind; the others need nothing but stop words.
"""

from __future__ import annotations

import re

from ragembed.analysis import Analyzer

_TERM = r"(?P<term>[^\s,;:()]+(?:[ ][^\s,;:()]+){0,4}?)"

DEFINING: dict[str, tuple[re.Pattern[str], str]] = {
    language: (re.compile(rf"{pattern}\b", re.IGNORECASE), question)
    for language, (pattern, question) in {
        "english": (rf"(?:an?\s|the\s)?{_TERM}\s(?:is|are|refers\sto|means)\s(?:an?|the)", "what is {}"),
        "french": (rf"(?:une?\s|l[ea]\s|l['’])?{_TERM}\sest\sune?", "qu'est-ce que {}"),
        "german": (rf"(?:ein\s|eine\s|der\s|die\s|das\s)?{_TERM}\sist\sein(?:e|er)?", "was ist {}"),
        "italian": (rf"(?:una?\s|il\s|l[oa]\s|l['’])?{_TERM}\sè\suna?", "che cos'è {}"),
        "portuguese": (rf"(?:uma?\s|[oa]\s)?{_TERM}\sé\suma?", "o que é {}"),
        "russian": (rf"{_TERM}\s[—–-]\sэто", "что такое {}"),
        "spanish": (rf"(?:una?\s|el\s|la\s)?{_TERM}\ses\suna?", "qué es {}"),
    }.items()
}
"""By language: what a definition begins with, and the question that it answers."""

_IMPERATIVES = frozenset(
    """access activate add adjust allow analyze apply assign attach authenticate avoid backup benchmark bind
    build bundle cache calculate call change check choose clean clone close combine compare compile compress
    compute configure connect control convert copy count create customize debug define delete deploy detect
    develop disable display download drop edit embed enable encode evaluate export extend extract fetch
    filter find fine-tune fix format generate get group handle hide implement import improve increase index
    initialize insert inspect install integrate invoke iterate join launch limit list load log make manage
    map measure merge migrate mock modify monitor mount move normalize open optimize order organize override
    parse pass patch perform pick plot predict prepare prevent print process profile publish pull push query
    read rebuild record reduce refresh register reload remove rename render repair replace report request
    reset resolve restart restore restrict retrieve return reuse rotate run save scale schedule score search
    secure select send serve set share show sort specify speed split start stop store stream style submit sum
    switch sync tag test trace track train transform translate trigger troubleshoot tune uninstall update
    upgrade upload use validate verify view visualize write""".split()  # noqa: SIM905
)


def defined(sentence: str, analyzer: Analyzer) -> str | None:
    """The question that `sentence` answers, where it begins as a definition of a term does; else None."""
    if analyzer.language not in DEFINING:
        return None
    pattern, question = DEFINING[analyzer.language]
    found = pattern.match(sentence)
    if found is None:
        return None
    term = found["term"].strip("\"'“”‘’*")
    # the words of a term are all content words; "one of these", "what this does" are none
    if (
        not term
        or any(not analyzer.terms(word) for word in term.split())
        or not re.search(r"[^\W\d_]{2}", term)
    ):
        return None
    return question.format(term if term[1:].lower() != term[1:] else term[0].lower() + term[1:])


def how_to(title: str, language: str) -> str:
    """`title` as a question where it tells one to do something; as it is otherwise."""
    first, _, rest = title.partition(" ")
    if language == "english" and rest and first.lower() in _IMPERATIVES and not title.endswith("?"):
        return f"how to {first[0].lower()}{first[1:]} {rest}"
    return title
