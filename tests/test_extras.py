from __future__ import annotations

from pathlib import Path

import pytest

from ragembed.errors import MissingExtraError
from ragembed.extras import require


def test_a_module_that_is_there() -> None:
    assert require("json", "files", "reading").loads("[1]") == [1]


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inner"])
def test_a_module_that_is_not_installed(module: str) -> None:
    with pytest.raises(MissingExtraError) as raised:
        require(module, "files", "reading PDF")
    assert raised.value.fault == f"reading PDF needs {module}, which is not installed"
    assert raised.value.remedy == "run: pip install 'ragembed[files]'"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_dependency", "which is installed but lacks no_such_dependency"),
        ("raise ImportError('libfoo.so: wrong ELF class')", "does not load (libfoo.so: wrong ELF class)"),
        ("raise OSError('libfoo.so: no such file')", "does not load (libfoo.so: no such file)"),
    ],
)
def test_a_module_that_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    (tmp_path / "broken_on_purpose.py").write_text(source + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError) as raised:
        require("broken_on_purpose", "st", "embedding")
    assert reason in raised.value.fault
    assert raised.value.remedy == "run: pip install --force-reinstall 'ragembed[st]'"
