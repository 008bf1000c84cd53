"""All numbers of a training as a few long arrays, and back: weights, and what the optimizer keeps for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "weights"


def gathered(tensors: Mapping[str, Tensor], optimizer: Any) -> dict[str, NDArray[Any]]:
    """``weights`` and one array for each thing that `optimizer` keeps, all tensors one after the other."""
    kept = [optimizer.state[tensor] for tensor in tensors.values()]
    keys = sorted({key for state in kept for key in state})
    found = {key: [state[key] for state in kept] for key in keys}
    found[WEIGHTS] = list(tensors.values())
    return {
        key: np.concatenate([each.detach().numpy().ravel() for each in every]) for key, every in found.items()
    }


def scattered(arrays: Mapping[str, NDArray[Any]], tensors: Mapping[str, Tensor], optimizer: Any) -> None:
    """Put what `gathered` gave back into `tensors` and `optimizer`."""
    import torch

    with torch.no_grad():
        for tensor, values in _split(arrays[WEIGHTS], list(tensors.values())):
            tensor.copy_(values)
    for key in arrays.keys() - {WEIGHTS}:
        # one number for each tensor, such as how many steps there were, or as many as the tensor has
        single = len(arrays[key]) == len(tensors)
        like = [tensor.new_zeros(()) if single else tensor for tensor in tensors.values()]
        for tensor, (_, values) in zip(tensors.values(), _split(arrays[key], like), strict=True):
            optimizer.state[tensor][key] = values


def grown(
    arrays: Mapping[str, NDArray[Any]], tensors: Mapping[str, Tensor], earlier: Mapping[str, int]
) -> None:
    """Put weights that `gathered` gave into the first rows of `tensors`.

    `earlier` has the rows of those tensors that had fewer. Raises `EmbeddingError` where the sizes differ otherwise.
    """
    before = [tensor[: earlier.get(name, len(tensor))] for name, tensor in tensors.items()]
    wanted, found = sum(tensor.numel() for tensor in before), len(arrays[WEIGHTS])
    if wanted != found:
        raise EmbeddingError(
            f"the earlier model has {found} weights, the settings make {wanted}",
            "update it with the sizes that it was trained with",
        )
    for rows, values in _split(arrays[WEIGHTS], before):
        rows.copy_(values)


def _split(array: NDArray[Any], like: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Each of `like` with its part of `array`, in its shape."""
    import torch

    at = 0
    for tensor in like:
        part = torch.from_numpy(np.array(array[at : at + tensor.numel()]))
        yield tensor, part.reshape(tensor.shape)
        at += tensor.numel()
