"""Text -> terms, for everything lexical."""

from __future__ import annotations

from ragembed.analysis.analyzer import ANALYZER_VERSION, Analyzer, highlight_spans

__all__ = ["ANALYZER_VERSION", "Analyzer", "highlight_spans"]
