"""Attention over 2 and 4 real processes: the results of one process, the bytes of the formula, errors in time."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")
if not torch.distributed.is_available():
    pytest.skip("this torch has no process groups", allow_module_level=True)

from safetensors.torch import load_file  # noqa: E402

from ragembed.encoder.attention.distributed import plan, unshard  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402

WORKER = Path(__file__).with_name("worker.py")


def _worker() -> Any:
    spec = importlib.util.spec_from_file_location("attention_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worker = _worker()


def run(job: str, size: int, folder: Path) -> None:
    """Run `worker.py` in `size` processes until all have ended."""
    lo = "lo" if Path("/sys/class/net/lo").exists() else "lo0"
    environment = os.environ | {"GLOO_SOCKET_IFNAME": lo, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), job, str(rank), str(size), str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        for process in processes:
            _, stderr = process.communicate(timeout=120)
            assert process.returncode == 0, stderr
    finally:
        for process in processes:
            process.kill()


def test_results_gradients_and_bytes_equal_one_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Results and gradients within 1e-5 of float64 in one process, and the bytes that `plan` predicts."""
    for size in (2, 4):
        folder = tmp_path_factory.mktemp("group")
        run("equal", size, folder)
        files = [load_file(folder / f"{rank}.safetensors") for rank in range(size)]
        for at, case in enumerate(worker.CASES + worker.HALF + (worker.NODES if size == 4 else [])):
            whole, up = worker.tensors(case)
            inputs = [each.double().requires_grad_() for each in whole]
            expected, _ = reference(*inputs, worker.mask_of(case))
            gradients = torch.autograd.grad((expected * up.double()).sum(), inputs)
            half = "dtype" in case
            for name, right in (("out", expected.detach()), *zip("qkv", gradients, strict=True)):
                got = unshard([file[f"{at}.{name}"] for file in files], layout=case["layout"])
                assert got.dtype == whole[0].dtype
                close = 3e-2 if half else 1e-5
                torch.testing.assert_close(
                    got.double(), right, atol=close, rtol=close if half else 1e-6, msg=f"{size} {case} {name}"
                )
            costs = plan(
                length=worker.N, heads=4, kv_heads=case["kv_heads"], head_dimension=8, processes=size, batch=2,
                number=2 if half else 4,
            )  # fmt: skip
            cost = next(each for each in costs if each.name == case["name"])
            for file in files:
                assert file[f"{at}.sent"].tolist() == [cost.forward, cost.backward], (size, case)


def test_mismatched_calls_are_refused(tmp_path: Path) -> None:
    run("refused", 4, tmp_path)
    said = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(4)]
    for name, message in (
        ("length", "process 0 has shapes [(1, 6, 8, 4), (1, 6, 8, 4), (1, 6, 8, 4)], process 1 another"),
        ("mask", "process 0 has mask [True, "),
        ("keep", "process 0 has mask [False, False"),
        ("layout", "unknown layout 'spiral'; valid are: contiguous, zigzag"),
        (
            "zigzag",
            "28 tokens cannot be divided evenly among 4 processes in layout zigzag; pad them to a multiple of 8",
        ),
        ("lengths", "documents of lengths [8] have 8 tokens, a row has 32"),
        ("nodes", "4 processes cannot be divided into nodes of 3; give a divisor"),
        ("heads", "6 heads cannot be divided evenly among 4 processes; use a divisor of them, or ring"),
        ("gradient", "process 0 has gradient True, process 1 another"),
        ("per_node", "process 0 has per_node 4, process 1 another"),
        ("mechanism", "process 0 has mechanism burst, process 1 another"),
    ):
        assert said[0][name].startswith("SpecError: "), (name, said[0][name])
        assert message in said[0][name]
        assert all(each[name].startswith("SpecError: ") for each in said), name
    assert [each["outside"][:20] for each in said] == ["", "", *["SpecError: this proc"] * 2]


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_a_lost_process_raises_in_time(how: str, tmp_path: Path) -> None:
    """An error soon after the timeout of 3 seconds, instead of waiting."""
    run(how, 2, tmp_path)
    seconds, _, message = json.loads((tmp_path / "0.json").read_text()).partition(" ")
    assert message.startswith("PeerError: process 0 of 2 lost contact with another one: ")
    assert float(seconds) < 7
