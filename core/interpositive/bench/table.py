"""Rows of a bench table: what was asked, what was measured, whether it is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line. Without `must` the number is for information only; `details` go into the JSON."""

    part: str
    what: str
    measured: float
    unit: str = "dB"
    must: float | None = None
    aim: float | None = None
    higher_is_better: bool = True
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """Whether `must` is met, None where nothing is asked."""
        return None if self.must is None else self._reaches(self.must)

    @property
    def aimed(self) -> bool | None:
        """Whether `aim` is met."""
        return None if self.aim is None else self._reaches(self.aim)

    def _reaches(self, mark: float) -> bool:
        return self.measured >= mark if self.higher_is_better else self.measured <= mark


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The rows as aligned text."""
    cells = [("", "measured", "must", "aim", "")]
    for row in rows:
        verdict = {True: "pass", False: "MISS", None: ""}[row.passed]
        if row.passed and row.aimed:
            verdict = "pass, aim reached"
        measured = f"{_number(row.measured)} {row.unit}".rstrip()
        cells.append((row.what, measured, _number(row.must), _number(row.aim), verdict))
    widths = [max(len(line[k]) for line in cells) for k in range(5)]
    return [
        "  ".join(
            cell.ljust(width) if k in (0, 4) else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:.0f}" if abs(value) < 1e7 else f"{value:.3g}"
    return f"{value:.2f}" if abs(value) >= 5 else f"{value:.3g}"
