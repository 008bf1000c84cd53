"""Which script a character is of, what belongs to a word, and which scripts are written without spaces.

`MARKS`, `IDEOGRAPHS` and `UNSPACED` are insides of regular-expression classes, as in ``f"[{UNSPACED}]+"``.
Python's own ``\\w`` lacks combining marks, without which a Hindi, Tamil or Hebrew word falls to pieces.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import cache

_SCRIPTS = (
    (0x0041, 0x005A, "latin"),
    (0x0061, 0x007A, "latin"),
    (0x00AA, 0x00AA, "latin"),
    (0x00BA, 0x00BA, "latin"),
    (0x00C0, 0x02AF, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0530, 0x058F, "armenian"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x06FF, "arabic"),
    (0x0750, 0x077F, "arabic"),
    (0x0870, 0x08FF, "arabic"),
    (0x0900, 0x097F, "devanagari"),
    (0x0B80, 0x0BFF, "tamil"),
    (0x1C80, 0x1C8F, "cyrillic"),
    (0x1E00, 0x1EFF, "latin"),
    (0x1F00, 0x1FFF, "greek"),
    (0x2183, 0x2184, "latin"),
    (0x2C60, 0x2C7F, "latin"),
    (0x2DE0, 0x2DFF, "cyrillic"),
    (0xA640, 0xA69F, "cyrillic"),
    (0xA722, 0xA7FF, "latin"),
    (0xA8E0, 0xA8FF, "devanagari"),
    (0xAB30, 0xAB6F, "latin"),
    (0xFB00, 0xFB06, "latin"),
    (0xFB13, 0xFB17, "armenian"),
    (0xFB1D, 0xFB4F, "hebrew"),
    (0xFB50, 0xFDFF, "arabic"),
    (0xFE70, 0xFEFE, "arabic"),
    (0xFF21, 0xFF3A, "latin"),
    (0xFF41, 0xFF5A, "latin"),
)
_STARTS = [start for start, _, _ in _SCRIPTS]

DEFAULT_LANGUAGES = {
    "latin": "english",
    "arabic": "arabic",
    "armenian": "armenian",
    "cyrillic": "russian",
    "devanagari": "hindi",
    "greek": "greek",
    "tamil": "tamil",
}
"""The language that stems a script's words where the index is of another script.

Hebrew is missing on purpose: Snowball's only language of that script is Yiddish, which little text in it is.
"""

_OWN_SCRIPTS = {
    "arabic": ("arabic",),
    "armenian": ("armenian",),
    "greek": ("greek",),
    "hindi": ("devanagari",),
    "nepali": ("devanagari",),
    "persian": ("arabic",),
    "russian": ("cyrillic",),
    "serbian": ("cyrillic", "latin"),
    "tamil": ("tamil",),
    "yiddish": ("hebrew",),
}

_MARK_RANGES = """0300-036f 0483-0487 0591-05bd 05bf 05c1-05c2 05c4-05c5 05c7 0610-061a 064b-065f 0670
06d6-06dc 06df-06e8 06ea-06ed 0711 0730-074a 07a6-07b0 07eb-07f3 07fd 0816-082d 0859-085b 0898-089f 08ca-08e1
08e3-0903 093a-093c 093e-094f 0951-0957 0962-0963 0981-0983 09bc 09be-09cd 09d7 09e2-09e3 09fe-0a03 0a3c-0a51
0a70-0a71 0a75 0a81-0a83 0abc 0abe-0acd 0ae2-0ae3 0afa-0b03 0b3c 0b3e-0b57 0b62-0b63 0b82 0bbe-0bcd 0bd7
0c00-0c04 0c3c 0c3e-0c56 0c62-0c63 0c81-0c83 0cbc 0cbe-0cd6 0ce2-0ce3 0cf3 0d00-0d03 0d3b-0d3c 0d3e-0d4d 0d57
0d62-0d63 0d81-0d83 0dca-0ddf 0df2-0df3 0e31 0e34-0e3a 0e47-0e4e 0eb1 0eb4-0ebc 0ec8-0ece 0f18-0f19 0f35 0f37
0f39 0f3e-0f3f 0f71-0f84 0f86-0f87 0f8d-0fbc 0fc6 102b-103e 1056-1059 105e-1060 1062-1064 1067-106d 1071-1074
1082-108d 108f 109a-109d 135d-135f 1712-1715 1732-1734 1752-1753 1772-1773 17b4-17d3 17dd 180b-180d 180f
1885-1886 18a9 1920-193b 1a17-1a1b 1a55-1a7f 1ab0-1abd 1abf-1b04 1b34-1b44 1b6b-1b73 1b80-1b82 1ba1-1bad
1be6-1bf3 1c24-1c37 1cd0-1cd2 1cd4-1ce8 1ced 1cf4 1cf7-1cf9 1dc0-1dff 2cef-2cf1 2d7f 2de0-2dff 302a-302f
3099-309a a66f a674-a67d a69e-a69f a6f0-a6f1 a802 a806 a80b a823-a827 a82c a880-a881 a8b4-a8c5 a8e0-a8f1 a8ff
a926-a92d a947-a953 a980-a983 a9b3-a9c0 a9e5 aa29-aa36 aa43 aa4c-aa4d aa7b-aa7d aab0 aab2-aab4 aab7-aab8
aabe-aabf aac1 aaeb-aaef aaf5-aaf6 abe3-abea abec-abed fb1e fe20-fe2f 11100-11102 11127-11134 11145-11146
1e944-1e94a"""


def _character_class(ranges: str) -> str:
    """``"0300-036f 05bf"`` -> the inside of a class of those code points."""
    return "".join("-".join(f"\\U{int(end, 16):08x}" for end in span.split("-")) for span in ranges.split())


MARKS = _character_class(_MARK_RANGES)
"""Combining marks of living scripts; not those that only dress up symbols and emoji."""

IDEOGRAPHS = _character_class("3005-3007 3400-4dbf 4e00-9fff f900-faff 20000-323af")
"""Han characters with all extensions, and the signs that stand for one (U+3005 to U+3007)."""

_KANA = "3041-3096 309d-309f 30a1-30fa 30fc-30ff 31f0-31ff ff66-ff9f 1aff0-1b16f"
_THAI_LAO = "0e01-0e3a 0e40-0e4e 0e81-0ece 0edc-0edf"
_MYANMAR_KHMER = (
    "1000-103f 1050-108f 109a-109d 1780-17d3 17d7 17dc-17dd a9e0-a9ef a9fa-a9fe aa60-aa76 aa7a-aa7f"
)
_HANGUL = "ac00-d7a3"

UNSPACED = IDEOGRAPHS + _character_class(f"{_KANA} {_THAI_LAO} {_MYANMAR_KHMER} {_HANGUL}")
"""Letters and marks of the scripts that are cut into pairs: Han, Kana, Thai, Lao, Khmer, Myanmar, Hangul.

Korean does put spaces, but writes particles onto the noun, and Snowball has no stemmer to take them off: only
pairs let a query for 학교 (school) find 학교에서 (at school). Digits of these scripts are left out, so that
numbers stay whole.
"""


def script_of(character: str) -> str | None:
    """The script of a letter, if a language of Snowball is written in it; else None."""
    if "a" <= character <= "z":
        return "latin"
    code = ord(character)
    start, end, script = _SCRIPTS[bisect_right(_STARTS, code) - 1]
    return script if start <= code <= end else None


@cache
def languages_by_script(language: str) -> Mapping[str, str]:
    """Which language stems each script's words in an index of `language` (a Snowball name, or ``none``)."""
    if language == "none":
        return {}
    return DEFAULT_LANGUAGES | dict.fromkeys(_OWN_SCRIPTS.get(language, ("latin",)), language)


def script_language(character: str, language: str) -> str | None:
    """The Snowball language that stems a word beginning with `character`; None: leave the word as it is.

    In an index of German, a Cyrillic letter gives ``russian``, a Latin one ``german``.
    """
    script = script_of(character)
    return None if script is None else languages_by_script(language).get(script)
