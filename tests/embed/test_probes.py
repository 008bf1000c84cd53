from __future__ import annotations

import numpy as np

from ragembed.embed import probes


def test_not_a_number_is_no_match() -> None:
    recorded = {"version": 1, "documents": probes.packed(np.full((3, 2), np.nan, np.float32))}
    now = {"version": 1, "documents": probes.packed(np.ones((3, 2), np.float32))}
    assert probes.differences(recorded, now) == [
        "probe vectors of documents nan apart, where 0.0001 is allowed"
    ]
    endless = {"version": 1, "documents": probes.packed(np.full((3, 2), np.inf, np.float32))}
    assert len(probes.differences(endless, now)) == 1


def test_the_tolerance_is_relative() -> None:
    base = np.array([[3, 4], [300, 400], [0, 0]], np.float32)
    recorded = {"version": 1, "documents": probes.packed(base)}
    for factor, found in ((1 + 9e-5, 0), (1 + 1.1e-4, 1)):
        now = {"version": 1, "documents": probes.packed((base * np.float32(factor)).astype(np.float32))}
        assert len(probes.differences(recorded, now)) == found
    from_nothing = {"version": 1, "documents": probes.packed(base + np.float32([[0], [0], [1e-3]]))}
    assert len(probes.differences(recorded, from_nothing)) == 1


def test_packing_is_exact() -> None:
    vectors = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    np.testing.assert_array_equal(probes.unpacked(probes.packed(vectors), 3), vectors)
