"""An index as plain files that any program reads, and back: nobody is locked in. docs/exchange.md has the format."""

from __future__ import annotations

from ragembed.exchange.export import Exported, export_index
from ragembed.exchange.import_ import Imported, import_index

__all__ = ["Exported", "Imported", "export_index", "import_index"]
