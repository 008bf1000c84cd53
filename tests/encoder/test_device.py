"""Where a model is computed: what is there, and one line about what is not."""

from __future__ import annotations

import pytest
import torch

from ragembed.encoder.device import find_device
from ragembed.errors import EmbeddingError


def test_a_device_is_found_by_its_name_and_without_one_the_best():
    assert find_device("cpu") == torch.device("cpu")
    assert find_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["cuda:99", "nope", "meta", "cpu:x", "xla", "hpu"])
def test_a_device_that_is_not_there_is_named_in_one_line(name):
    with pytest.raises(EmbeddingError, match=f"device={name} cannot be used on this machine") as told:
        find_device(name)
    assert "\n" not in str(told.value)
    assert "use device=cpu" in str(told.value)
