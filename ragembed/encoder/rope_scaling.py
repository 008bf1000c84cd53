"""Rotary positions beyond the length of training: each kind changes the angles that a token is turned by.

r: numbers of a head that are rotated. Checkpoints name the kind in ``rope_parameters`` or ``rope_scaling``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.positions import (
    dynamic_factor,
    linear_frequencies,
    llama3_frequencies,
    mixed_ntk_frequencies,
    ntk_theta,
    rope_frequencies,
    yarn_frequencies,
)

if TYPE_CHECKING:
    from torch import Tensor


class Scaling(ABC):
    """One kind. Subclasses are frozen dataclasses, so that layers that rotate alike are found to be equal."""

    @abstractmethod
    def frequencies(self, rotated: int, theta: float, length: int) -> Tensor:
        """Angles per position of a text of `length` tokens ``(rotated / 2,)`` float64."""

    @property
    def scale(self) -> float:
        """What queries and keys are multiplied by."""
        return 1.0

    @property
    def changes_from(self) -> int | None:
        """The angles of texts longer than this depend on their length; None: they never do."""
        return None


@dataclass(frozen=True)
class Linear(Scaling):
    """All positions divided by `factor` (Chen et al. 2023)."""

    factor: float

    def frequencies(self, rotated: int, theta: float, length: int) -> Tensor:
        """As `Scaling`."""
        return linear_frequencies(rope_frequencies(rotated, theta=theta), self.factor)


@dataclass(frozen=True)
class Dynamic(Scaling):
    """NTK-aware, by as much as a text is longer than the model was trained for (Peng et al. 2023, section 3.3)."""

    factor: float
    trained: int

    def frequencies(self, rotated: int, theta: float, length: int) -> Tensor:
        """As `Scaling`."""
        grown = dynamic_factor(self.factor, length, self.trained)
        return rope_frequencies(rotated, theta=ntk_theta(rotated, theta, grown))

    @property
    def changes_from(self) -> int:
        """The length in training."""
        return self.trained


@dataclass(frozen=True)
class MixedNtk(Scaling):
    """NTK-aware with one factor for all lengths, as GTE has it."""

    factor: float
    power: float = 1.0

    def frequencies(self, rotated: int, theta: float, length: int) -> Tensor:
        """As `Scaling`."""
        return mixed_ntk_frequencies(rotated, theta=theta, factor=self.factor, power=self.power)


@dataclass(frozen=True)
class Yarn(Scaling):
    """By parts: fast angles stay, slow ones are divided by `factor` (Peng et al. 2023)."""

    factor: float
    trained: int
    fast: float
    slow: float
    whole: bool
    attention: float
    """What queries and keys are multiplied by."""

    def frequencies(self, rotated: int, theta: float, length: int) -> Tensor:
        """As `Scaling`."""
        return yarn_frequencies(
            rotated,
            factor=self.factor,
            trained=self.trained,
            theta=theta,
            fast=self.fast,
            slow=self.slow,
            whole=self.whole,
        )

    @property
    def scale(self) -> float:
        """`attention`."""
        return self.attention


@dataclass(frozen=True)
class Llama3(Scaling):
    """By parts, with bounds in turns, and a ramp that is linear in them."""

    factor: float
    trained: int
    fast: float
    slow: float

    def frequencies(self, rotated: int, theta: float, length: int) -> Tensor:
        """As `Scaling`."""
        return llama3_frequencies(
            rotated, factor=self.factor, trained=self.trained, theta=theta, fast=self.fast, slow=self.slow
        )
