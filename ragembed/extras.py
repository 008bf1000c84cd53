"""Optional dependencies: imported where they are used, and missed with the command that brings them."""

from __future__ import annotations

import importlib
from types import ModuleType

from ragembed.errors import MissingExtraError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra brings it; "not installed" and "broken" are told apart."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise MissingExtraError(
                f"{purpose} needs {module}, which is installed but lacks {error.name}",
                f"run: pip install --force-reinstall 'ragembed[{extra}]'",
            ) from error
        raise MissingExtraError(
            f"{purpose} needs {module}, which is not installed", f"run: pip install 'ragembed[{extra}]'"
        ) from error
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            f"{purpose} needs {module}, which is installed but does not load ({error})",
            f"run: pip install --force-reinstall 'ragembed[{extra}]'",
        ) from error
