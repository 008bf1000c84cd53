"""Checks of settings."""

from __future__ import annotations

import numpy as np

from ragembed.errors import SpecError

LARGEST = float(np.finfo(np.float32).max)
"""No setting that is a rate or a weight may be larger: compiled loops hold it in float32."""


def expect(right: bool, what: str, wanted: str) -> None:
    """Raise `SpecError` unless a setting is `right`."""
    if not right:
        raise SpecError(f"{what} makes no sense", f"give {wanted}")
