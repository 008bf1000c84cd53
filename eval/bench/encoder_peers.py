"""MiniLM in OpenVINO and in ONNX Runtime, for the comparison in `encoder`: exported here, run as their users would.

Texts are sorted by length and padded to the longest of a batch of 8, which was the fastest of 8, 32 and as many as make
4,096 tokens, for OpenVINO in bfloat16 and for ONNX Runtime in int8. Neither is needed by ragembed:

    pip install openvino onnxruntime onnx
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[Any, Any], Any]
"""Token ids and mask ``(texts, n)`` -> means of tokens ``(texts, dimension)``."""
Embed = Callable[[Sequence[str]], Any]
_BATCH, _LONGEST = 8, 256


def peers(folder: Path, scratch: Path, threads: int) -> tuple[dict[str, Embed], list[str]]:
    """What is installed of them, by name, and a line for each that is not; files are written to `scratch`."""
    found: dict[str, Embed] = {}
    lacking = []
    for packages, load in ((("openvino",), _openvino), (("onnxruntime", "onnx"), _onnxruntime)):
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            lacking.append(f"{packages[0]} is left out: pip install {' '.join(missing)}")
        else:
            found |= {name: _embedder(folder, run) for name, run in load(folder, scratch, threads).items()}
    return found, lacking


def _openvino(folder: Path, scratch: Path, threads: int) -> dict[str, Run]:
    import openvino
    import torch

    ids = torch.arange(5, 56).reshape(3, 17)
    example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    graph = openvino.convert_model(_module(folder, "sdpa"), example_input=example)
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()
    return {"OpenVINO bfloat16": lambda ids, mask: request.infer([ids, mask])[0]}


def _onnxruntime(folder: Path, scratch: Path, threads: int) -> dict[str, Run]:
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain, small = str(scratch / "model.onnx"), str(scratch / "model_int8.onnx")
    ids = torch.arange(5, 56).reshape(3, 17)
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        _module(folder, "eager"),
        (ids, torch.ones_like(ids)),
        plain,
        input_names=names,
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(plain, small, weight_type=QuantType.QInt8, per_channel=True)

    def run(path: str) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda ids, mask: session.run(None, dict(zip(names, (ids, mask), strict=True)))[0]

    return {"ONNX Runtime float32": run(plain), "ONNX Runtime int8": run(small)}


def _module(folder: Path, attention: str) -> Any:
    """The model of `transformers`, with the mean of the tokens behind it."""
    import torch
    from transformers import AutoModel

    class Mean(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, attn_implementation=attention).eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            x = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            kept = attention_mask.unsqueeze(-1).to(x.dtype)
            return (x * kept).sum(1) / kept.sum(1)

    return Mean()


def _embedder(folder: Path, run: Run) -> Embed:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST)

    def embed(texts: Sequence[str]) -> Any:
        encoded = [each.ids for each in tokenizer.encode_batch(texts)]
        order = sorted(range(len(texts)), key=lambda text: len(encoded[text]))
        vectors: list[Any] = [None] * len(texts)
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            ids = np.zeros((len(part), len(encoded[part[-1]])), np.int64)
            for row, text in enumerate(part):
                ids[row, : len(encoded[text])] = encoded[text]
            mask = (np.arange(ids.shape[1]) < [[len(encoded[text])] for text in part]).astype(np.int64)
            for text, vector in zip(part, run(ids, mask), strict=True):
                vectors[text] = vector / np.linalg.norm(vector)
        return np.stack(vectors)

    return embed
