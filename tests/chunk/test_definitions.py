from __future__ import annotations

from ragembed.chunk.definitions import definitions

PYTHON = '''"""Doc."""
import os

LIMIT = 3; OTHER = 4


# why
# and how
@decorated(
    1
)
def first():
    return """
text at the margin
"""

class Second:
    """Doc."""

    # member
    def method(self):
        pass
'''


def lines_at(text: str, offsets: list[int]) -> list[str]:
    return [text[offset:].split("\n")[0].rstrip("\r") for offset in offsets]


def test_python_by_its_syntax() -> None:
    found = definitions(PYTHON, python=True)
    tops = ['"""Doc."""', "import os", "LIMIT = 3; OTHER = 4", "# why", "class Second:"]
    assert lines_at(PYTHON, found.tops) == tops
    assert lines_at(PYTHON, found.members) == ['    return """', '    """Doc."""', "    # member"]


def test_line_ends_of_other_systems() -> None:
    for end in ("\r\n", "\r"):
        text = PYTHON.replace("\n", end)
        assert len(definitions(text, python=True).tops) == 5
        assert text[definitions(text, python=True).tops[-1] :].startswith("class Second:")


def test_python_that_does_not_parse_is_read_by_its_layout() -> None:
    text = "import os\n\n\ndef first(:\n    a\n\n    b\n\n# about\ndef second():\n    c\n"
    found = definitions(text, python=True)
    assert lines_at(text, found.tops) == ["def first(:", "# about"]
    assert lines_at(text, found.members) == ["    b"]
    assert definitions("a\x00b", python=True).tops == []


def test_warnings_of_the_parser_are_kept_quiet() -> None:
    assert definitions('x = "\\d"\n', python=True).tops == [0]  # an invalid escape


def test_other_languages_by_their_layout() -> None:
    text = (
        "#include <a.h>\n\n// about f\nint f() {\n  if (x) {\n\n    y();\n  }\n}\nint g()\n{\n  z();\n\n}\n\n"
        "function h()\n  w()\nend\nfunction i() end\n"
    )
    assert lines_at(text, definitions(text).tops) == [
        "// about f",
        "int g()",
        "function h()",
        "function i() end",
    ]
