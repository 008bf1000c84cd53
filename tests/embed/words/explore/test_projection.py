"""Vectors in two dimensions: exact, repeatable, and honest about what they lose."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ragembed.embed.base import normalized
from ragembed.embed.words.explore.projection import kept, nearest_rows, project
from ragembed.errors import MissingExtraError, QueryError


def cloud(rows: int, dimension: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)


@pytest.mark.parametrize("shape", [(200, 30), (20, 30), (2, 5), (7, 7)], ids=str)
def test_pca_is_exact(shape: tuple[int, int]) -> None:
    vectors = cloud(*shape)
    plane = project(vectors)
    units = normalized(vectors).astype(np.float64)
    _, values, directions = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    shares = values**2 / (values**2).sum()
    assert plane.variance == pytest.approx([*shares, 0][:2], abs=1e-6)
    plain = (units - units.mean(axis=0)) @ directions[:2].T
    assert np.abs(plane.points) == pytest.approx(np.abs(np.where(values[:2] > 1e-6, plain, 0)), abs=1e-5)
    assert plane.axes == ("PC 1", "PC 2")
    assert plane.place(vectors) == pytest.approx(plane.points, abs=1e-6)


def test_directions_have_a_fixed_sign() -> None:
    # the unit vectors lie on (x, 0) +- (0, 1): the first direction is the second dimension, taken positive
    plane = project(np.array([[1, 9], [1, -9], [1, 8], [1, -8]], np.float32))
    assert (np.sign(plane.points[:, 0]) == [1, -1, 1, -1]).all()
    vectors = cloud(50, 8)
    assert np.array_equal(project(vectors).points, project(vectors).points)


def test_nothing_to_see() -> None:
    plane = project(np.ones((3, 4), np.float32))
    assert plane.variance == (0.0, 0.0)
    assert not plane.points.any()
    one = project(np.array([[1], [-1], [1]], np.float32))  # a single dimension
    assert one.variance == pytest.approx((1, 0))
    assert not one.points[:, 1].any()


def test_lengths_do_not_matter() -> None:
    vectors = cloud(30, 5)
    stretched = vectors * np.linspace(0.1, 9, 30, dtype=np.float32)[:, np.newaxis]
    assert project(stretched).points == pytest.approx(project(vectors).points, abs=1e-5)


def test_nearest_rows() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [1, 0.2], [2, 0]], np.float32)
    rows, cosines = nearest_rows(vectors, 2)
    assert rows.tolist() == [[4, 1], [3, 0], [3, 1], [1, 0], [0, 1]]
    units = normalized(vectors)
    assert cosines == pytest.approx(np.take_along_axis(units @ units.T, rows, 1))
    assert nearest_rows(vectors[:1], 5)[0].shape == (1, 0)
    same = np.ones((6, 3), np.float32)  # each is crowded out of its own list
    for own, found in enumerate(nearest_rows(same, 3)[0].tolist()):
        assert own not in found
        assert len(set(found)) == 3


def test_kept() -> None:
    flat = cloud(100, 2)
    near, _ = nearest_rows(np.hstack([flat, np.full((100, 1), 40, np.float32)]), 5)  # nearly a plane
    assert kept(flat, near) > 0.9
    assert kept(flat[::-1], near) < 0.2
    line = np.array([[0.0, 0], [1, 0], [3, 0], [7, 0]])
    assert kept(line, np.array([[1], [0], [1], [2]])) == 1
    assert kept(line, np.array([[1], [2], [1], [1]])) == 0.5
    assert kept(np.zeros((4, 2)), np.array([[1], [0], [0], [0]])) >= 0  # all on top of one another


def test_what_is_refused() -> None:
    with pytest.raises(QueryError, match="valid are: pca, umap"):
        project(cloud(9, 3), "tsne")
    with pytest.raises(QueryError, match="there are 1 points, and a map by pca needs 2"):
        project(cloud(1, 3))
    with pytest.raises(QueryError, match="umap needs 5"):
        project(cloud(4, 3), "umap")


def test_umap_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ragembed\[umap\]'"):
        project(cloud(20, 3), "umap")


UMAP = """
import numpy as np
from ragembed.embed.words.explore.projection import project
middles = np.repeat(np.eye(3, 10), 6, axis=0)
vectors = (middles + 0.05 * np.random.default_rng(0).standard_normal((18, 10))).astype(np.float32)
plane = project(vectors, "umap", seed=3)
assert plane.variance is None
assert plane.axes == ("UMAP 1", "UMAP 2")
assert np.array_equal(project(vectors, "umap", seed=3).points, plane.points)
groups = plane.points.reshape(3, 6, 2)
gaps = [np.linalg.norm(groups[a].mean(0) - groups[b].mean(0)) for a, b in ((0, 1), (0, 2), (1, 2))]
assert min(gaps) > 2 * groups.std(axis=1).max(), (gaps, groups.std(axis=1))
placed = plane.place(np.eye(3, 10, dtype=np.float32))
assert np.linalg.norm(groups.mean(1) - placed[:, np.newaxis], axis=2).argmin(axis=1).tolist() == [0, 1, 2]
"""


def test_umap_keeps_groups_together_and_repeats_itself() -> None:
    pytest.importorskip("numba")
    if importlib.util.find_spec("umap") is None:
        pytest.skip("needs the extra umap")
    # compiled, the first map takes half a minute
    settings = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", UMAP],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
