"""The pictures of docs/attention.md: masks from the code's own, curves from what `attention_curves` measured.

python -m ragembed.eval.bench.attention_figures [--folder docs] [--only masks,cost,error]
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.eval.bench.attention_curves import FILE, SHARPNESS, Curve
from ragembed.eval.bench.attention_masks import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MEANINGS,
    ORANGE,
    PANELS,
    RED,
    TOKENS,
)

EMPTY = "#F1F1F1"
FAMILIES = {
    BLACK: ("dot_product", "flash1", "flash2", "additive"),
    BLUE: ("sliding_window", "longformer", "sinks"),
    GREEN: ("bigbird", "strided", "bp"),
    ORANGE: ("linear", "performer", "linformer"),
    RED: ("hyper",),
    GREY: ("naive",),
}
"""Mechanisms of one kind have one colour, and differ by dashes."""
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (5, 1.5, 1, 1.5)))
ERROR_LINES = {
    "performer": (ORANGE, DASHES[1]),
    "linformer": (ORANGE, DASHES[2]),
    "hyper": (RED, DASHES[0]),
    "hyper, sample": (RED, DASHES[1]),
    "control variate": (RED, DASHES[2]),
}
TITLES = ("attention nearly even", "nearly all attention within a 32nd of the keys")
STEEP = 2.8
"""Times that a steep line grows while the length doubles: a power of 1.5."""


@dataclass(frozen=True)
class End:
    """Where a line ends, and what stands there."""

    x: int
    y: float
    steep: bool
    label: str
    colour: str


def masks(plot: Any) -> Any:
    """A panel for each mask, and what the colours mean."""
    import numpy as np
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    figure, axes = plot.subplots(3, 5, figsize=(9.6, 6.9))
    figure.subplots_adjust(left=0.025, right=0.995, top=0.935, bottom=0.01, wspace=0.12, hspace=0.3)
    for axis, panel in zip(axes.flat, PANELS, strict=False):
        picture = np.tile(np.array(to_rgb(EMPTY)), (TOKENS, TOKENS, 1))
        for colour, seen in reversed(panel.layers()):
            picture[seen.numpy()] = to_rgb(colour)
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(panel.title, fontsize=9, fontweight="bold", loc="left", pad=14)
        axis.text(0, 1.025, panel.below, fontsize=7.5, color="#555555", transform=axis.transAxes)
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set(color="#BBBBBB", linewidth=0.6)
    axes[0, 0].set_xlabel("keys →", fontsize=7.5, loc="left", labelpad=2)
    axes[0, 0].set_ylabel("← queries", fontsize=7.5, loc="top", labelpad=2)
    for axis in axes.flat[len(PANELS) :]:
        axis.axis("off")
    for row, (colour, meaning) in enumerate(MEANINGS):
        axes[-1, -1].add_patch(Rectangle((0.02, 0.85 - 0.15 * row), 0.09, 0.09, color=colour))
        axes[-1, -1].text(0.17, 0.895 - 0.15 * row, meaning, fontsize=8, va="center")
    others = "bp: a colour for each\nsize of span\n\nring: a colour for each\nprocess"
    axes[-1, -1].text(0.02, 0.4, others, fontsize=8, va="top")
    return figure


def cost(plot: Any, found: dict[str, Any]) -> Any:
    """Time and memory against the length."""
    figure, axes = plot.subplots(1, 2, figsize=(11, 5.6))
    figure.subplots_adjust(left=0.045, right=0.89, top=0.95, bottom=0.08, wspace=0.38)
    for axis, what, times, title in (
        (axes[0], "seconds", 1000, "ms of processor time"),
        (axes[1], "megabytes", 1, "MB beside the inputs, the result among them"),
    ):
        curves = {name: _scaled(curve, times) for name, curve in found[what].items()}
        lengths = sorted({n for curve in curves.values() for n in curve})
        _axis(axis, lengths, title, "tokens")
        least, right = min(curve[lengths[0]] for curve in curves.values()), lengths[-4:]
        _guide(axis, right, [least * n / right[0] for n in right], "n")
        _guide(axis, right, [least * (n / right[0]) ** 2 for n in right], "n²")
        ends = []
        for colour, members in FAMILIES.items():
            for name, dash in zip(members, DASHES, strict=False):
                if name in curves:
                    label = "as written down" if name == "naive" else name
                    ends.append(_line(axis, curves[name], label, colour, dash))
        _label_ends(axis, ends)
    return figure


def error(plot: Any, found: dict[str, Any]) -> Any:
    """What the approximate ones are off, against what they are given."""
    figure, axes = plot.subplots(1, 2, figsize=(10, 4), sharey=True)
    figure.subplots_adjust(left=0.065, right=0.855, top=0.93, bottom=0.12, wspace=0.46)
    for axis, sharpness, title in zip(axes, SHARPNESS, TITLES, strict=True):
        curves = {name: _scaled(curve) for name, curve in found["errors"][str(sharpness)].items()}
        steps = sorted({step for curve in curves.values() for step in curve})
        _axis(
            axis, steps, title, "m: features (performer), rows of E (linformer), keys seen or drawn (hyper)"
        )
        _guide(axis, steps[:4], [0.6 / m**0.5 for m in steps[:4]], "1/√m")
        _label_ends(axis, [_line(axis, curve, name, *ERROR_LINES[name]) for name, curve in curves.items()])
    axes[0].set_ylabel("|result − exact| / |exact|", fontsize=8)
    return figure


def _scaled(curve: dict[str, float], times: float = 1) -> Curve:
    return {int(at): times * value for at, value in curve.items()}


def _axis(axis: Any, ticks: Sequence[int], title: str, below: str) -> None:
    """Two logarithmic scales, and no more ink than they need."""
    axis.set(xscale="log", yscale="log", xticks=ticks)
    axis.set_xticklabels([str(n) if n < 1024 else f"{n // 1024}k" for n in ticks])
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axis.minorticks_off()
    axis.margins(y=0.08)
    axis.set_xlim(ticks[0] * 0.9, ticks[-1] * 1.03)
    axis.set_title(title, fontsize=9, loc="left")
    axis.set_xlabel(below, fontsize=8)
    axis.grid(color="#E4E4E4", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8, length=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set(color="#BBBBBB", linewidth=0.6)


def _guide(axis: Any, xs: Sequence[int], ys: Sequence[float], label: str) -> None:
    """A slope to compare with, where there is room."""
    axis.plot(xs, ys, color=GREY, linewidth=0.9, linestyle=(0, (1, 2)))
    axis.annotate(label, (xs[-1], ys[-1]), xytext=(3, -2), textcoords="offset points", fontsize=8, color=GREY)


def _line(axis: Any, curve: Curve, label: str, colour: str, dash: Any) -> End:
    axis.plot(list(curve), list(curve.values()), color=colour, linestyle=dash, linewidth=1.5)
    (_, before), (last, value) = list(curve.items())[-2:]
    return End(last, value, value > STEEP * before, label, colour)


def _label_ends(axis: Any, ends: Sequence[End], size: float = 8) -> None:
    """A name at the end of each line, with a hair to it where names would lie on one another.

    A steep line that ends early has it on the left, where nothing lies above such a line.
    """
    from matplotlib.patheffects import withStroke

    low, high = (math.log(limit) for limit in axis.get_ylim())
    left, right = axis.get_xlim()
    height = axis.get_window_extent().height * 72 / axis.figure.dpi
    gap, hair = (high - low) * size * 1.2 / height, (right / left) ** 0.05
    latest = max(end.x for end in ends)
    sides: dict[tuple[int, bool], list[End]] = {}
    for end in sorted(ends, key=lambda end: end.y):
        sides.setdefault((end.x, end.steep and end.x < latest), []).append(end)
    for (x, early), here in sides.items():
        values = [math.log(end.y) for end in here]
        heights = [values[-1] + place * gap for place in range(len(here))] if early else apart(values, gap)
        for end, at in zip(here, heights, strict=True):
            axis.annotate(
                end.label, (x, end.y), xytext=(x / hair if early else x * hair, math.exp(at)),
                ha="right" if early else "left", va="center", fontsize=size, color=end.colour,
                annotation_clip=False, path_effects=[withStroke(linewidth=2, foreground="white")],
                arrowprops={"arrowstyle": "-", "color": end.colour, "linewidth": 0.5, "shrinkA": 1,
                            "shrinkB": 1, "relpos": (float(early), 0.5)},
            )  # fmt: skip


def apart(values: Sequence[float], gap: float) -> list[float]:
    """Rising values moved as little as can be, so that `gap` lies between two: those that meet share their mean."""
    groups: list[list[float]] = []
    for place, value in enumerate(values):
        groups.append([value - place * gap])
        while len(groups) > 1 and statistics.mean(groups[-2]) >= statistics.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [statistics.mean(group) for group in groups for _ in group]
    return [height + place * gap for place, height in enumerate(level)]


def save(figure: Any, file: Path) -> None:
    """As a PNG of 128 colours, which are enough for flat ones and their edges."""
    from PIL import Image

    held = io.BytesIO()
    figure.savefig(held, dpi=160)
    Image.open(held).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> None:
    """Draw them."""
    import matplotlib

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("docs"))
    parser.add_argument("--only", default="masks,cost,error")
    options = parser.parse_args()
    matplotlib.use("Agg")
    from matplotlib import pyplot as plot

    plot.rcParams["font.size"] = 8
    measured = options.folder / FILE
    found = json.loads(measured.read_text(encoding="utf-8")) if measured.exists() else {}
    draw: dict[str, Callable[[], Any]] = {
        "masks": lambda: masks(plot),
        "cost": lambda: cost(plot, found),
        "error": lambda: error(plot, found),
    }
    for name in options.only.split(","):
        figure = draw[name]()
        save(figure, options.folder / f"attention-{name}.png")
        plot.close(figure)


if __name__ == "__main__":
    main()
