"""The same measures the plain way: one pair, question or partition at a time, in float64.

Nothing here is used by `ragembed eval`; the tests hold the fast modules against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def cosine(x: Vector, y: Vector) -> float:
    """The cosine of the angle between `x` and `y`; 0 where one of them is zeros."""
    length = sqrt(float(x @ x)) * sqrt(float(y @ y))
    return float(x @ y) / length if length else 0.0


def rank(values: Sequence[float], index: int) -> float:
    """The rank of ``values[index]`` from 1: those below it, and half of those equal to it."""
    below = sum(value < values[index] for value in values)
    equal = sum(value == values[index] for value in values)
    return below + (equal + 1) / 2


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rho by its definition: the correlation of the ranks."""
    one, other = ([rank(side, index) for index in range(len(side))] for side in (x, y))
    middle = (len(x) + 1) / 2
    product = sum((i - middle) * (j - middle) for i, j in zip(one, other, strict=True))
    return product / sqrt(sum((i - middle) ** 2 for i in one) * sum((j - middle) ** 2 for j in other))


def cos_add(a: float, b: float, c: float) -> float:
    """3CosAdd of a candidate whose cosines with a, b and c these are."""
    return b - a + c


def cos_mul(a: float, b: float, c: float, epsilon: float = 0.001) -> float:
    """3CosMul of such a candidate."""
    return (b + 1) / 2 * ((c + 1) / 2) / ((a + 1) / 2 + epsilon)


def answer(
    question: tuple[str, str, str],
    vectors: Mapping[str, Vector],
    objective: Callable[[float, float, float], float] = cos_add,
) -> str:
    """The word that answers "a is to b as c is to": the best that is none of the three."""
    a, b, c = (vectors[word] for word in question)
    scores = {
        word: objective(cosine(vector, a), cosine(vector, b), cosine(vector, c))
        for word, vector in vectors.items()
        if word not in question
    }
    return max(scores, key=lambda word: scores[word])


def association(word: Vector, a: Sequence[Vector], b: Sequence[Vector]) -> float:
    """s(w, A, B) of Caliskan et al.: how much nearer `word` is to the attributes `a` than to `b`."""
    return sum(cosine(word, one) for one in a) / len(a) - sum(cosine(word, one) for one in b) / len(b)


def weat(
    x: Sequence[Vector], y: Sequence[Vector], a: Sequence[Vector], b: Sequence[Vector]
) -> tuple[float, float]:
    """Effect size d and exact one-sided p, over all partitions of the targets into sets of the given sizes."""
    s = [association(word, a, b) for word in (*x, *y)]
    mean = sum(s) / len(s)
    deviation = sqrt(sum((value - mean) ** 2 for value in s) / (len(s) - 1))
    difference = sum(s[: len(x)]) / len(x) - sum(s[len(x) :]) / len(y)
    partitions = list(combinations(range(len(s)), len(x)))
    observed = sum(s[: len(x)])
    reached = sum(sum(s[index] for index in chosen) >= observed - 1e-12 for chosen in partitions)
    return difference / deviation, reached / len(partitions)


def wefat(word: Vector, a: Sequence[Vector], b: Sequence[Vector]) -> float:
    """Effect size of one word: s(w, A, B) over the deviation of its cosines with all attributes."""
    near = [cosine(word, one) for one in (*a, *b)]
    mean = sum(near) / len(near)
    return association(word, a, b) / sqrt(sum((value - mean) ** 2 for value in near) / (len(near) - 1))
