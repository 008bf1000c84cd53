"""Takes comments and the tags of HTML and JSX out of Markdown, and keeps every line end and inline code.

Whatever a pattern may span is bounded, so that unclosed marks cost no more than their number.
"""

from __future__ import annotations

import re

_ATTRIBUTES = (
    r"(?:\s+(?:[\w:@.-]+(?:\s*=\s*(?:\"[^\"]{0,2000}\"|'[^']{0,2000}'"
    r"|\{[^{}]{0,2000}(?:\{[^{}]{0,2000}\}[^{}]{0,2000}){0,9}\}|[^\s\"'=<>`{}]{1,2000}))?"
    r"|\{\.\.\.[^{}]{0,200}\})){0,50}"
)
_INLINE = "a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|q|samp|small|span|strike|strong|sub|sup|tt|u"
_BLOCK = (
    "article|aside|audio|blockquote|br|button|center|col|colgroup|dd|details|div|dl|dt|embed|figcaption|figure"
    "|footer|h[1-6]|hr|iframe|img|li|nav|ol|p|picture|pre|section|summary|svg|table|tbody|td|tfoot|th|thead|tr"
    "|ul|video"
)
"""Elements of HTML but those whose names are more often placeholders, such as ``<source>`` or ``<label>``."""
_CODE = r"(?P<code>(?<!`)(?P<ticks>`{1,9})(?!`)[^\n]{0,500}?(?<!`)(?P=ticks)(?!`))"
_OPENING = r"(?P<comment><!--|\{/\*|<script(?=[\s>])|<style(?=[\s>]))"
_MARKDOWN = re.compile(
    rf"{_CODE}|{_OPENING}|</?(?:(?P<inline>{_INLINE})|{_BLOCK})(?=[\s/>]){_ATTRIBUTES}\s*/?>", re.IGNORECASE
)
_MDX = re.compile(
    rf"{_CODE}|{_OPENING}|</?(?:(?P<inline>{_INLINE})|(?:{_BLOCK})|[A-Z][\w.]*)(?=[\s/>]){_ATTRIBUTES}\s*/?>|</?>"
)
_CLOSING = {
    "<!--": re.compile("-->"),
    "{/*": re.compile(r"\*/\}"),
    "<script": re.compile(r"</script\s*>", re.IGNORECASE),
    "<style": re.compile(r"</style\s*>", re.IGNORECASE),
}
_SAYING = re.compile(
    r"\s(?:alt|label|title|caption|summary)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|\{[`\"']([^`\"']*)[`\"']\})"
)
"""Attributes that hold words."""
_MODULE = re.compile(
    r"^(?:import\s+(?:[^\n\"';]{1,500}\sfrom\s+|\{[^}]{0,2000}\}\s*from\s+)?"
    r"[\"'][^\"'\n]{1,500}[\"'];?[ \t]*$"
    r"|export\s+(?:const|let|var|default|function|async|class)\b(?:[^\n]*\S[^\n]*(?:\n|\Z))+)",
    re.MULTILINE,
)
"""ES modules in MDX: an import of one statement, an export up to the next blank line."""
_BLANK = re.compile(r"^[ \t]+(?=\r?$)", re.MULTILINE)
_WITHIN_LINES = re.compile(r"[^\r\n]+")


def strip_tags(text: str, jsx: bool = False) -> str:
    """`text` without comments, scripts and tags; one with ``alt``, ``label`` or ``title`` leaves these words.

    With `jsx`, components and module lines go too. Inline code stays as it is, and so does every line end.
    """
    if jsx:
        text = _MODULE.sub(lambda match: _WITHIN_LINES.sub("", match[0]), text)
    if "<" not in text and not (jsx and "{/*" in text):
        return text
    pattern = _MDX if jsx else _MARKDOWN
    parts: list[str] = []
    at = 0
    unclosed: set[str] = set()
    while match := pattern.search(text, at):
        parts.append(text[at : match.start()])
        at = match.end()
        opening = (match["comment"] or "").lower()
        if match["code"] or opening in unclosed or (opening == "{/*" and not jsx):
            parts.append(match[0])
        elif opening:
            closing = _CLOSING[opening].search(text, at)
            if closing is None:
                unclosed.add(opening)
                parts.append(match[0])
            else:
                at = closing.end()
                parts.append(_WITHIN_LINES.sub("", text[match.start() : at]))
        else:
            parts.append(_words(match[0], bool(match["inline"])))
    parts.append(text[at:])
    return _BLANK.sub("", "".join(parts))


def _words(tag: str, inline: bool) -> str:
    """What a tag leaves in its place: its line ends and what it says; a space where it parts words."""
    said = " ".join(filter(None, (part for found in _SAYING.findall(tag) for part in found)))
    ends = _WITHIN_LINES.sub("", tag)
    if said:
        return f" {' '.join(said.split())} {ends}"
    return ends if inline or ends else " "
