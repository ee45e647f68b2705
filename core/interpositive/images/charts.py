"""Line plots for people, such as the loss of a training run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .writing import whole_file


def line_plot(
    path: str | Path,
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
    x_label: str,
    y_label: str,
    is_log: bool = False,
) -> None:
    """Write a PNG of lines {name: (x values, y values)}; `is_log` makes the y axis logarithmic. Raises
    OutputError.
    """
    figure = Figure(figsize=(8.0, 4.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, (x_values, y_values) in lines.items():
        axes.plot(x_values, y_values, label=name, linewidth=1.3, marker="." if len(x_values) < 30 else "")
    axes.set(title=title, xlabel=x_label, ylabel=y_label, yscale="log" if is_log else "linear")
    axes.grid(alpha=0.3)
    if len(lines) > 1:
        axes.legend()
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", metadata={"Software": None})
    with whole_file(path) as unfinished:
        unfinished.write_bytes(encoded.getvalue())
