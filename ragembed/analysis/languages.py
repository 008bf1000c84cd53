"""Names of languages: what a user may write, and the Snowball language that it means."""

from __future__ import annotations

from functools import cache

from ragembed.analysis.scripts import languages_by_script
from ragembed.analysis.stopwords import STOP_WORDS
from ragembed.errors import SpecError

_CODES = {
    "arabic": "ar ara",
    "armenian": "hy hye arm",
    "basque": "eu eus baq euskara",
    "catalan": "ca cat valencian",
    "czech": "cs ces cze",
    "danish": "da dan",
    "dutch": "nl nld dut flemish",
    "english": "en eng",
    "esperanto": "eo epo",
    "estonian": "et est",
    "finnish": "fi fin",
    "french": "fr fra fre",
    "german": "de deu ger",
    "greek": "el ell gre",
    "hindi": "hi hin",
    "hungarian": "hu hun",
    "indonesian": "id ind",
    "irish": "ga gle",
    "italian": "it ita",
    "lithuanian": "lt lit",
    "nepali": "ne nep",
    "norwegian": "no nor nb nob nn nno bokmål bokmal nynorsk",
    "persian": "fa fas per farsi",
    "polish": "pl pol",
    "portuguese": "pt por",
    "romanian": "ro ron rum moldavian",
    "russian": "ru rus",
    "serbian": "sr srp",
    "sesotho": "st sot",
    "spanish": "es spa castilian",
    "swedish": "sv swe",
    "tamil": "ta tam",
    "turkish": "tr tur",
    "yiddish": "yi yid",
}
"""ISO 639-1 and 639-2 codes and other names, under the Snowball name."""

_WITHOUT_STEMMER = {
    "bulgarian": "bg bul",
    "burmese": "my mya bur myanmar",
    "chinese": "zh zho chi cmn mandarin",
    "croatian": "hr hrv",
    "hebrew": "he heb iw",
    "japanese": "ja jpn",
    "khmer": "km khm",
    "korean": "ko kor",
    "lao": "lo lao",
    "slovak": "sk slk slo",
    "slovenian": "sl slv",
    "thai": "th tha",
    "ukrainian": "uk ukr",
    "vietnamese": "vi vie",
}

LANGUAGES = tuple(_CODES)
"""The Snowball names of all languages, sorted."""


def canonical_language(name: str) -> str:
    """The Snowball name for a name, an ISO 639 code or a tag such as ``pt-BR``; ``none`` stays ``none``.

    Raises `SpecError` for an unknown language and for one that Snowball has no stemmer for.
    """
    wanted = name.strip().lower()
    wanted = wanted if wanted in _meanings() else wanted.replace("_", "-").partition("-")[0]
    found = _meanings().get(wanted)
    if found is None:
        import difflib  # only an error needs it

        near = difflib.get_close_matches(wanted, [*_CODES, "none"], n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}? " if near else ""
        raise SpecError(f"unknown language {name!r}", f"{hint}valid are: {_listed()}")
    if found in _WITHOUT_STEMMER:
        raise SpecError(
            f"there is no stemmer for {found} (language {name!r})",
            f"give none, or the language of the other words beside it; valid are: {_listed()}",
        )
    return found


@cache
def stop_words(language: str) -> frozenset[str]:
    """Stop words for an index of `language` (a Snowball name): its own, and other scripts' languages'.

    Lists of different scripts share no word, so a Russian page in an English index loses its stop words too.
    ``none`` has none.
    """
    return frozenset().union(*(STOP_WORDS[each] for each in languages_by_script(language).values()))


@cache
def _meanings() -> dict[str, str]:
    table = {"none": "none"}
    for languages in (_CODES, _WITHOUT_STEMMER):
        for language, codes in languages.items():
            table |= dict.fromkeys([language, *codes.split()], language)
    return table


def _listed() -> str:
    return ", ".join(f"{language} ({codes.split()[0]})" for language, codes in _CODES.items()) + ", none"
