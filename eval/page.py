"""What every page of ours keeps to: one file that asks for nothing, in which text from outside is never markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from string import Template
from typing import Any

from ragembed.errors import DatasetError

_HEAD = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${style}</style>
</head>""")
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what stands around them."""


def asset(package: str, name: str) -> str:
    """The file `name` beside the modules of `package`."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def rendered(
    package: str,
    styles: Iterable[tuple[str, str]],
    scripts: Iterable[tuple[str, str]],
    title: str,
    **parts: str,
) -> str:
    """The template of `package`, filled: under a head that every page has, with `parts` that are markup already.

    `styles` and `scripts` are the packages and names of files, in the order in which they are joined. `title` is text.
    """
    style = "\n".join(asset(*where) for where in styles)
    script = "\n".join(asset(*where) for where in scripts)
    title = escape(title)
    head = _HEAD.substitute(policy=policy(style, script), style=style, title=title)
    template = Template(asset(package, "template.html"))
    return storable(template.substitute(head=head, title=title, script=script, **parts))


def policy(style: str, script: str) -> str:
    """A Content-Security-Policy that allows this very style and this very script, and no request at all."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def foreign(text: str) -> str:
    """`text` from outside as markup, isolated, so that a right-to-left override in it ends with it."""
    return f'<bdi dir="auto">{escape(text)}</bdi>'


def visible(text: str) -> str:
    """`text` with the names of characters that nobody sees, and that could make it look like another."""
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def script_json(value: Any) -> str:
    """`value` as JSON in which nothing can end or comment out a ``<script>`` element.

    An HTML parser looks inside a script only for ``<``; U+2028 and U+2029 ended lines in JavaScript before 2019.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise DatasetError(
            "the page's data hold NaN or an infinite number, which JSON cannot",
            "store null where there is no number",
        ) from error
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def storable(text: str) -> str:
    """`text` with everything that UTF-8 cannot hold, or that no text should, replaced by U+FFFD."""
    return _CONTROLS.sub("\ufffd", _HALF_CHARACTERS.sub("\ufffd", text))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
