from __future__ import annotations

import pytest

from ragembed.chunk import CHUNKERS
from ragembed.types import Document

FUNCTION = "# about {name}\n@cached\ndef {name}(x):\n    y = x + 1\n\n    return y\n"  # 20 tokens
MODULE = "import os\n\n\n" + "\n\n".join(FUNCTION.format(name=name) for name in ("one", "two", "three"))


def chunks(spec: str, text: str, **metadata: str) -> list[str]:
    return [chunk.text for chunk in CHUNKERS.create(spec).chunk(Document("d", text, metadata))]


def test_definitions_are_kept_whole_with_what_stands_above_them() -> None:
    found = chunks("code(tokens=24, overlap=8)", MODULE, path="a/module.py")
    assert [text.split("\n")[0] for text in found] == ["import os", "# about two", "# about three"]
    assert all(text.endswith("return y") for text in found)


def test_as_many_as_fit() -> None:
    found = chunks("code(tokens=50, overlap=8)", MODULE, path="a/module.py")
    assert [text.split("\n")[0] for text in found] == ["import os", "# about three"]


@pytest.mark.parametrize("metadata", [{"language": "python"}, {"format": "py"}, {"path": "A.PY"}])
def test_python_is_told_by_metadata(metadata: dict[str, str]) -> None:
    text = (
        'import os\ndef f():\n    return """\n\nmargin\n"""\n\n\ndef g():\n    return 1\n'  # 2, 13, 7 tokens
    )
    assert chunks("code(tokens=14, overlap=0)", text, **metadata)[1].endswith('margin\n"""')
    by_layout = chunks("code(tokens=14, overlap=0)", text, path="a.txt")
    assert by_layout[1].startswith("margin")


def test_a_long_class_is_cut_before_its_methods() -> None:
    method = "    def {name}(self):\n        a = 1\n\n        b = 2\n        return a + b\n"  # 17 tokens
    text = "class A:\n" + "\n".join(method.format(name=name) for name in ("one", "two", "three", "four"))
    found = chunks("code(tokens=45, overlap=0)", text, path="a.py")
    assert [part.split("\n")[0] for part in found] == ["class A:", "def three(self):"]


def test_code_without_structure_is_cut_at_lines() -> None:
    text = "\n".join(f"value_{number} = call({number})" for number in range(40))
    found = chunks("code(tokens=30, overlap=0)", text, path="a.js")
    assert all(part.startswith("value_") and part.endswith(")") for part in found)


def test_other_languages() -> None:
    text = "int f() {\n  return 1;\n}\n\n// g\nint g() {\n  return 2;\n\n}\n"  # 9 and 12 tokens
    assert chunks("code(tokens=14, overlap=4)", text, path="a.c") == [
        "int f() {\n  return 1;\n}",
        "// g\nint g() {\n  return 2;\n\n}",
    ]
