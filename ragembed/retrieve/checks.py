"""Parameters of parts of a search that make no sense."""

from __future__ import annotations

from ragembed.errors import SpecError


def at_least_1(name: str, **values: int) -> None:
    """Raise `SpecError` where one of the part's parameters is below 1."""
    for parameter, value in values.items():
        if value < 1:
            raise SpecError(f"{name}({parameter}={value}) is below 1", f"give {parameter} of at least 1")


def shares(name: str, **values: float) -> None:
    """Raise `SpecError` where one of the part's parameters is no share of 1."""
    for parameter, value in values.items():
        if not 0 <= value <= 1:
            raise SpecError(
                f"{name}({parameter}={value:g}) is not between 0 and 1", "give a share such as 0.5"
            )
