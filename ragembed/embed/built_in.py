"""What embedders share that run in the built-in encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ragembed.embed.base import Dense
from ragembed.embed.model_files import check_model
from ragembed.embed.transformer import TransformerEmbedder
from ragembed.encoder.options import EncoderOptions
from ragembed.extras import require
from ragembed.ledger import TokenLedger
from ragembed.threads import wait_calmly

if TYPE_CHECKING:
    from ragembed.encoder.sentence import SentenceEncoder


@dataclass(eq=False, kw_only=True)
class BuiltInEmbedder(TransformerEmbedder):
    """A checkpoint in `ragembed.encoder`."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "tokenizers")
    ways: ClassVar[frozenset[str]] = TransformerEmbedder.ways | {"strict"}
    indifferent: ClassVar[frozenset[str]] = ways | {"precision"}
    """The precision is a key of the identity by itself, which ``auto`` leaves open."""

    precision: str = "auto"
    """What numbers are computed in: ``float32``, ``bfloat16``, ``float16``; ``auto``: bfloat16 where this machine
    multiplies it, else float32."""
    max_length: int | None = None
    """Longest input in tokens, special ones included; none: what the model was made with."""
    long: str = "windows"
    """What becomes of longer texts: ``windows`` that overlap, of which the mean is taken; ``late``, which also embeds
    every chunk in its document; ``stream`` (causal models) and ``sliding`` (the others), which read them in one piece;
    or ``truncate``."""
    overlap: int | None = None
    """Tokens that a window shares with the one before it; none: 32, or a quarter of a window where that is less."""
    truncate_dim: int | None = None
    """First numbers of a vector to keep, of a model that was trained for it (Kusupati et al. 2022, Matryoshka); none:
    all."""
    strict: bool = False
    """The same bits for a text in any batch, order and number of threads, for more time."""
    device: str | None = None
    """``cpu``, ``cuda``...; none: the graphics processor where there is one."""
    batch: int | None = None
    """Texts that go through the model at once; none: as many as fill it."""

    @property
    def options(self) -> EncoderOptions:
        """How it is run: its own fields by their names, and for those that it does not have the model's ways."""
        asked: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in fields(EncoderOptions)
            if hasattr(self, field.name)
        }
        return EncoderOptions(**asked)

    @property
    def in_context(self) -> bool:
        """With ``long=late``, unless it is for a field, which lies in no document."""
        return self.long == "late" and self.field is None

    def embed_chunks(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> Dense:
        """Pooled from the vectors of their documents' tokens."""
        return self._encoder.encode_chunks(texts, spans)

    @property
    def fitting_tokens(self) -> int | None:
        """The model's length less special tokens and prompt, where longer texts are cut into windows or cut off."""
        return self._encoder.fitting_tokens if self.long in ("windows", "truncate") else None

    @property
    def ledger(self) -> TokenLedger:
        """What became of the tokens of all texts so far; asking does not load the model."""
        return self._encoder.cutter.ledger if "_model" in vars(self) else TokenLedger()

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """As every transformer; the ledger does not count the probes."""
        cutter = self._encoder.cutter
        before = cutter.ledger
        try:
            return super().probe(thorough=thorough)
        finally:
            cutter.ledger = before

    @property
    def _encoder(self) -> SentenceEncoder:
        return cast("SentenceEncoder", self._model)

    @property
    def may_differ(self) -> frozenset[str]:
        """``auto`` takes what the machine does well; a precision by name has to be that of the whole index."""
        return frozenset({"precision"}) if self.precision == "auto" else frozenset()

    def recorded_identity(self) -> dict[str, Any]:
        """As of every transformer, and what becomes of long texts."""
        return {**super().recorded_identity(), "long": self.long}

    def load(self) -> SentenceEncoder:
        """The model, ready to encode."""
        wait_calmly()
        require("torch", "encoder", "the built-in encoder")
        check_model(self.folder)
        from ragembed.encoder.sentence import SentenceEncoder

        return SentenceEncoder(self.folder, self.options)
