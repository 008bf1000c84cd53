"""Words and numbers that the page and the Markdown file have in common."""

from __future__ import annotations

from typing import Any

MISSING = "–"


def decimals(value: float | None, digits: int = 3) -> str:
    """`value` with `digits` decimals and a true minus sign; a dash where there is none."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def interval(bounds: list[float] | None) -> str:
    """``0.671–0.752``; empty where there is none."""
    return f"{decimals(bounds[0])}–{decimals(bounds[1])}" if bounds else ""


def probability(value: float | None) -> str:
    """A p value: three decimals, ``< 0.001`` below that."""
    return "< 0.001" if value is not None and value < 0.001 else decimals(value)


def duration(value: float | None) -> str:
    """Seconds in the unit that reads best."""
    if value is None:
        return MISSING
    if value >= 5400:
        return f"{value / 3600:.1f} h"
    if value >= 90:
        return f"{value / 60:.1f} min"
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def size(value: float | None) -> str:
    """Bytes in the unit that reads best, decimal as storage is sold."""
    if value is None:
        return MISSING
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def labels(report: dict[str, Any]) -> list[str]:
    """A name for each dataset; two of one name are told apart by their splits."""
    names = [dataset["name"] for dataset in report["datasets"]]
    return [
        name if names.count(name) == 1 else f"{name} ({dataset.get('split', '')})"
        for name, dataset in zip(names, report["datasets"], strict=True)
    ]


def facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What was compared on what, in pairs of a word and its value."""
    datasets = report["datasets"]
    failed = sum(
        all("error" in dataset["results"][number] for dataset in datasets)
        for number in range(len(report["systems"]))
    )
    systems = f"{len(report['systems'])}" + (f", {failed} failed" if failed else "")
    return [
        ("Data sets", ", ".join(labels(report))),
        ("Documents", f"{sum(dataset.get('documents') or 0 for dataset in datasets):,}"),
        ("Queries", f"{sum(len(dataset['queries']) for dataset in datasets):,}"),
        ("Systems", systems),
        ("Machine", report.get("machine") or MISSING),
        ("ragembed", report.get("ragembed") or MISSING),
    ]
