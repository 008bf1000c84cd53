"""Tensors of safetensors files under our names: renamed, stacked, halved, and checked."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.embed.model_settings import read_settings
from ragembed.encoder.checkpoints.family import Family
from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from torch import Tensor


class Tensors(ExitStack):
    """The tensors of a folder of safetensors files under our names."""

    def __init__(self, folder: Path, family: Family) -> None:
        super().__init__()
        self.folder, self.family = folder, family
        self._where: dict[str, tuple[Any, str]] = {}
        """Their name without its prefix -> an open file and the name in it."""
        self._taken: set[str] = set()

    def __enter__(self) -> Tensors:
        from safetensors import SafetensorError, safe_open

        listed = read_settings(self.folder / "model.safetensors.index.json").get("weight_map")
        for name in sorted(map(str, listed.values())) if isinstance(listed, dict) else ():
            if not (self.folder / name).is_file():
                raise EmbeddingError(
                    f"{self.folder} lacks {name}, which its index lists", "fetch the model again"
                )
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                file = self.enter_context(safe_open(path, framework="pt"))
            except (SafetensorError, OSError) as error:
                raise EmbeddingError(f"{path} is damaged ({error})", "fetch the model again") from error
            for name in file.keys():  # noqa: SIM118 - no dict
                plain = next(
                    (name[len(each) :] for each in self.family.prefixes if name.startswith(each)), name
                )
                self._where[plain] = (file, name)
        return self

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """One of ours ``shape``, stacked from theirs."""
        import torch

        from ragembed.encoder.outline import finite

        parts = []
        for theirs, half in self._theirs(name):
            if theirs not in self._where:
                raise EmbeddingError(
                    f"{self.folder} lacks the tensor {theirs}", "fetch the model again: it is not complete"
                )
            file, key = self._where[theirs]
            self._taken.add(theirs)
            part = file.get_tensor(key).float()
            parts.append(part if half is None else part.chunk(2)[half])
        found = torch.cat(parts) if len(parts) > 1 else parts[0]
        if self.family.norm_offset and "norm" in name.split(".")[-2]:
            found = found + self.family.norm_offset
        if tuple(found.shape) != shape:
            raise EmbeddingError(
                f"{' + '.join(each for each, _ in self._theirs(name))} of {self.folder} has the shape "
                f"{tuple(found.shape)}, config.json says {shape}",
                "fetch the model again: its files do not fit one another",
            )
        if not finite(found):
            raise EmbeddingError(
                f"{self._theirs(name)[0][0]} of {self.folder} holds NaN or infinity", "fetch it again"
            )
        return found

    def check_rest(self) -> None:
        """`EmbeddingError` for tensors that are neither taken nor known to be of no use."""
        rest = sorted(set(self._where) - self._taken)
        left = [name for name in rest if not any(re.fullmatch(each, name) for each in self.family.ignored)]
        if left:
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            raise EmbeddingError(
                f"{self.folder} holds the tensor {left[0]}{more}, which a model of its type does not have",
                "use it through st:, it is of another kind",
            )

    def _theirs(self, name: str) -> list[tuple[str, int | None]]:
        """``layers.3.mlp.up.bias`` -> what it is called in the files, and which half of it is meant."""
        module, _, kind = name.rpartition(".")
        number = re.search(r"layers\.(\d+)\.", module)
        plain = module if number is None else module.replace(number[0], "layers.{}.", 1)
        theirs = self.family.modules[plain]
        if number is not None:
            theirs = theirs.replace("{}", number[1])
        found = [re.fullmatch(r"(.*?)(?:\[([01])\])?", each) for each in theirs.split(" + ")]
        return [(f"{each[1]}.{kind}", None if each[2] is None else int(each[2])) for each in found if each]
