"""``options.json`` of a published ELMo model: the sizes and switches that its weights need to be run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.errors import EmbeddingError

CHARACTERS = 261
"""Rows of ``char_embed``: 256 bytes, begin and end of a sentence, begin and end of a word, padding."""
ACTIVATIONS = ("relu", "tanh")

_LARGEST = 1 << 16
"""Of any one size; the published models go up to 4,096."""
_MOST_LAYERS = 64
_REMEDY = "give the options.json that was published with the weights"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `options.json` says."""

    char_dimension: int
    """Length of a character's vector."""
    filters: tuple[tuple[int, int], ...]
    """Width in characters and number of filters of each convolution."""
    highways: int
    """Highway layers over the convolutions."""
    longest_word: int = 50
    """Characters (bytes) of a word, with its begin and end."""
    activation: str = "relu"
    """``relu`` or ``tanh``, after the convolution's maximum."""
    cells: int
    """Memory cells of an LSTM layer."""
    projection: int
    """Length of a word's vector in one direction; both together are the vector of a token."""
    layers: int = 2
    """LSTM layers of each direction."""
    cell_clip: float | None = None
    """Bound on the absolute value of cells; None: none."""
    proj_clip: float | None = None
    """Bound on the absolute value of projected outputs; None: none."""
    skip: bool = True
    """Whether layers after the first add their input to their output."""

    def __post_init__(self) -> None:
        for name, largest in (
            ("char_dimension", _LARGEST),
            ("cells", _LARGEST),
            ("projection", _LARGEST),
            ("layers", _MOST_LAYERS),
        ):
            _in_range(name, getattr(self, name), 1, largest)
        _in_range("highways", self.highways, 0, _MOST_LAYERS)
        _in_range("longest_word", self.longest_word, 3, _LARGEST)  # one byte between the word's begin and end
        if not 0 < len(self.filters) <= _MOST_LAYERS:
            raise EmbeddingError(
                f"ELMo has {len(self.filters)} convolutions", f"1 to {_MOST_LAYERS} make sense"
            )
        for width, count in self.filters:
            _in_range("the width of a filter", width, 1, self.longest_word)
            _in_range("the number of filters", count, 1, _LARGEST)
        if self.activation not in ACTIVATIONS:
            valid = " and ".join(ACTIVATIONS)
            raise EmbeddingError(f"ELMo's activation is {self.activation!r}", f"known are {valid}")
        for name in ("cell_clip", "proj_clip"):
            clip = getattr(self, name)
            if clip is not None and not 0 < clip < float("inf"):
                raise EmbeddingError(
                    f"ELMo's {name} is {clip}", "give a number above 0, or null for no bound"
                )

    @property
    def features(self) -> int:
        """How many numbers the convolutions make of a word."""
        return sum(count for _, count in self.filters)

    @property
    def dimension(self) -> int:
        """Length of a token's vector: both directions."""
        return 2 * self.projection

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Options:
        """From the published form; raises `EmbeddingError` where something is missing or makes no sense."""
        try:
            lstm, cnn = content["lstm"], content["char_cnn"]
            characters = cnn.get("n_characters", CHARACTERS + 1)
            filters = tuple((_integer("filters", w), _integer("filters", n)) for w, n in cnn["filters"])
            options = cls(
                char_dimension=_integer("char_cnn.embedding.dim", cnn["embedding"]["dim"]),
                filters=filters,
                highways=_integer("char_cnn.n_highway", cnn.get("n_highway") or 0),
                longest_word=_integer("max_characters_per_token", cnn.get("max_characters_per_token", 50)),
                activation=cnn["activation"],
                cells=_integer("lstm.dim", lstm["dim"]),
                projection=_integer("lstm.projection_dim", lstm["projection_dim"]),
                layers=_integer("lstm.n_layers", lstm["n_layers"]),
                cell_clip=_number("lstm.cell_clip", lstm.get("cell_clip")),
                proj_clip=_number("lstm.proj_clip", lstm.get("proj_clip")),
                skip=_switch("lstm.use_skip_connections", lstm.get("use_skip_connections", False)),
            )
        except KeyError as error:
            raise EmbeddingError(f"ELMo's options lack {error.args[0]!r}", _REMEDY) from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise EmbeddingError(f"ELMo's options cannot be read ({error})", _REMEDY) from error
        if characters not in (CHARACTERS, CHARACTERS + 1):  # while training and afterwards, with the zero row
            raise EmbeddingError(
                f"ELMo's n_characters is {characters}, known are {CHARACTERS} and {CHARACTERS + 1}", _REMEDY
            )
        return options

    @classmethod
    def read(cls, path: str | Path) -> Options:
        """From the file `path`."""
        try:
            content = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise EmbeddingError(f"{path} is no options.json of ELMo ({error})", _REMEDY) from error
        if not isinstance(content, dict):
            raise EmbeddingError(f"{path} holds no JSON object", _REMEDY)
        return cls.from_json(content)

    def to_json(self) -> dict[str, Any]:
        """The published form."""
        return {
            "lstm": {
                "cell_clip": self.cell_clip,
                "use_skip_connections": self.skip,
                "n_layers": self.layers,
                "proj_clip": self.proj_clip,
                "projection_dim": self.projection,
                "dim": self.cells,
            },
            "char_cnn": {
                "embedding": {"dim": self.char_dimension},
                "filters": [list(each) for each in self.filters],
                "n_highway": self.highways,
                "n_characters": CHARACTERS + 1,
                "max_characters_per_token": self.longest_word,
                "activation": self.activation,
            },
        }


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise EmbeddingError(f"ELMo's {name} is {value}, {low} to {high} make sense", _REMEDY)


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}, no whole number")
    return value


def _number(name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise TypeError(f"{name} is {value!r}, no number")


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, neither true nor false")
    return value
