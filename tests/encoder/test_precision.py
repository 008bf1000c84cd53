"""Which numbers a model is computed in, on processors that are not this one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ragembed.encoder import precision as module
from ragembed.encoder.precision import precision
from ragembed.errors import EmbeddingError

CPU = torch.device("cpu")
PROCESSORS = {
    "Zen 5": ("flags\t\t: fpu sse2 avx512f avx512_bf16 avx512_vnni\n", True),
    "Sapphire Rapids": ("flags\t\t: fpu avx512f amx_bf16 amx_tile\n", True),
    "Ice Lake": ("model name\t: no amx_bf16 here\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", False),
    "Graviton 3": ("processor\t: 0\nFeatures\t: fp asimd sve i8mm bf16\n", True),
    "Graviton 2": ("processor\t: 0\nFeatures\t: fp asimd asimdhp\n", False),
    "none told": ("processor\t: 0\n", False),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_what_the_processor_multiplies_well(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, multiplies = PROCESSORS[name]
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(module, "PROCESSOR", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert precision("auto", CPU) == (torch.bfloat16 if multiplies else torch.float32)
    assert precision("float32", CPU) == torch.float32
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert precision("auto", CPU) == torch.float32


def test_a_system_that_lists_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROCESSOR", tmp_path / "none")
    assert precision("auto", CPU) == torch.float32


@pytest.mark.parametrize("supported", [True, False])
def test_a_graphics_processor_is_asked_whether_it_has_it_in_hardware(
    supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert precision("auto", torch.device("cuda")) == (torch.bfloat16 if supported else torch.float32)
    assert precision("auto", torch.device("meta")) == torch.float32


def test_names_that_are_none() -> None:
    with pytest.raises(EmbeddingError, match="unknown precision 'int4'; valid are: auto, float32"):
        precision("int4", CPU)
