"""Benchmarks are run by hand; here each can at least be imported."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from ragembed.errors import MissingExtraError
from ragembed.eval import bench

MODULES = [module.name for module in pkgutil.iter_modules(bench.__path__)]


def test_there_are_some() -> None:
    assert {"harness", "glove_limits", "word_files"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_imported(name: str) -> None:
    try:
        importlib.import_module(f"{bench.__name__}.{name}")
    except MissingExtraError as error:
        pytest.skip(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "ragembed":
            raise
        pytest.skip(f"needs the package {error.name}")
