"""Where the definitions of a source file begin."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")
_LARGEST_PARSED = 2_000_000  # characters; the syntax tree takes a hundred times their memory
_TOP = re.compile(r"\n[ \t\r]*+\n(?=[^\s})\]])|\n(?:[})\]]+|end)[ \t;,]*+\r?\n(?=[^\s})\]])")
_MEMBER = re.compile(r"\n[ \t\r]*+\n(?=(?: {1,4}|\t)[^\s})\]])")
_GOES_ON = re.compile(r"(?:else|elif|elsif|catch|except|finally|rescue|ensure|while|end|then|do)\b")


@dataclass(frozen=True, slots=True)
class Definitions:
    """Offsets, ascending, at which top-level definitions and statements begin, and the members within them.

    The comments and decorators right above belong to what they stand above. All lie at the beginning of a
    line.
    """

    tops: list[int]
    members: list[int]


def definitions(text: str, *, python: bool = False) -> Definitions:
    """Where the definitions of `text` begin: by the syntax of Python where it parses, else by indentation."""
    if python and len(text) <= _LARGEST_PARSED:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of invalid escapes, say: not ours to judge
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        else:
            return _of_tree(text, tree)
    return _of_layout(text)


def _of_tree(text: str, tree: ast.Module) -> Definitions:
    lines = [0, *(match.end() for match in _LINE_END.finditer(text))]
    members = [
        member
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for member in node.body
    ]
    return Definitions(list(_line_starts(text, lines, tree.body)), list(_line_starts(text, lines, members)))


def _line_starts(text: str, lines: list[int], nodes: Iterable[ast.stmt]) -> Iterator[int]:
    """Offsets of the lines with which `nodes` and what belongs to them begin."""
    last = -1
    for node in nodes:
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        line = min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
        while line - 1 > last and text[lines[line - 1] : lines[line]].lstrip().startswith("#"):
            line -= 1
        if line > last:
            yield lines[line]
        last = max(last, (node.end_lineno or node.lineno) - 1)


def _of_layout(text: str) -> Definitions:
    """Lines without indentation after a blank line or a closing bracket; members have little indentation."""
    tops = [match.end() for match in _TOP.finditer(text) if _GOES_ON.match(text, match.end()) is None]
    return Definitions(tops, [match.end() for match in _MEMBER.finditer(text)])
