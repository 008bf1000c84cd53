"""Four top-level folders install as one package, and imports point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ragembed

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {
    "ragembed": "ragembed",
    "cli": "ragembed.cli",
    "datasets/loaders": "ragembed.datasets",
    "eval": "ragembed.eval",
}
HEAVY = ("torch", "faiss", "scipy", "sklearn", "transformers", "numba", "sentence_transformers", "pandas")


def packages() -> set[str]:
    found = set()
    for folder, name in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((name, *inner)))
    return found


def test_every_package_is_listed() -> None:
    assert packages() == set(PROJECT["tool"]["setuptools"]["packages"])


def test_datasets_folder_is_no_package() -> None:
    # a regular package of that name in the repository root would hide Hugging Face's datasets
    assert not (ROOT / "datasets" / "__init__.py").exists()


def test_data_files_are_packaged() -> None:
    import importlib.resources

    folder = importlib.resources.files("ragembed.datasets") / "primer"
    assert folder.joinpath("corpus.jsonl").is_file()
    assert folder.joinpath("qrels", "test.tsv").is_file()


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("ragembed", ("ragembed.cli", "ragembed.datasets", "ragembed.eval")),
        ("datasets/loaders", ("ragembed.cli", "ragembed.eval")),
        ("eval", ("ragembed.cli", "ragembed.datasets")),
    ],
)
def test_direction_of_imports(folder: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / folder).rglob("*.py")
        if "bench" not in path.parts
        for name in imports_of(path)
        if any(name == bad or name.startswith(bad + ".") for bad in forbidden)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "import ragembed",
        "import ragembed; ragembed.Pipeline",
        "from typer.testing import CliRunner; from ragembed.cli import app;"
        " assert CliRunner().invoke(app, ['--help']).exit_code == 0",
    ],
    ids=["import", "pipeline", "help"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    program = f"import sys; {code}; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_public_names() -> None:
    assert sorted(ragembed.__all__) == [
        "Chunk", "Document", "Hit", "Pipeline", "Qrels", "RagembedError", "Run", "Spec", "SyncReport", "__version__",
    ]  # fmt: skip
    for name in ragembed.__all__:
        assert getattr(ragembed, name) is not None
    with pytest.raises(AttributeError):
        ragembed.nothing  # noqa: B018


def test_version_agrees() -> None:
    assert PROJECT["project"]["version"] == ragembed.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {ragembed.__version__}" in changes
