"""ragembed doctor: what is installed here and what works."""

from typing import Any

from ragembed.cli.options import Json, print_json


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
    import platform
    from pathlib import Path

    from ragembed.embed.minilm import find_minilm
    from ragembed.errors import RagembedError
    from ragembed.threads import available_threads

    try:
        weights = f"weights in {Path(find_minilm()).name}"
    except RagembedError as error:
        weights = str(error)
    packages = _requirements()
    return {
        "ragembed": _version("ragembed"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": available_threads(),
        "core": {name: _version(name) for name in packages.pop("")},
        "extras": {extra: {name: _version(name) for name in names} for extra, names in packages.items()},
        "minilm": weights,
    }


def _version(name: str) -> str | None:
    from importlib import metadata  # takes 15 ms, which every command would pay for

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> dict[str, list[str]]:
    """Packages by extra, the core under "", as the installed package declares them; tools for development left out."""
    import re
    from importlib import metadata

    found: dict[str, list[str]] = {"": []}
    for line in metadata.requires("ragembed") or ():
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        group = extra.group(1) if extra else ""
        if name and name.group() != "ragembed" and group not in ("dev", "bench"):
            found.setdefault(group, []).append(name.group())
    return found
