"""Measurements to a table: medians, spreads, and the ratio of each contender to the first, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bed.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One contender at one work in one round.

    :ivar cost: CPU time per unit of the work, in the work's unit.
    """

    work: str
    contender: str
    round: int
    cost: float
    load: Load


def render(samples: Sequence[Sample], units: dict[str, str]) -> str:
    """A Markdown table; the spread is the lowest and the highest round.

    :param units: each work's unit, in the order of the rows. Works without a sample are left out.
    """
    names = list(dict.fromkeys(sample.contender for sample in samples))
    first = names[0]
    lines = ["| work | contender | CPU median (lowest-highest) | per second | p50 / p99 ms | ratio |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for work, unit in units.items():
        base = _by_round(samples, work, first)
        for name in names:
            mine = [sample for sample in samples if sample.work == work and sample.contender == name]
            if not mine:
                continue
            costs = [sample.cost for sample in mine]
            rate = median(sample.load.count / sample.load.seconds for sample in mine)
            p50, p99 = (median(getattr(sample.load, of) for sample in mine) / 1000 for of in ("p50", "p99"))
            # Of the two in the same round: what disturbed one of them disturbed both.
            ratio = median(sample.cost / base[sample.round] for sample in mine if base.get(sample.round))
            lines.append(
                f"| {work if name == first else ''} | {name} "
                f"| {_number(median(costs))} ({_number(min(costs))}-{_number(max(costs))}) {unit} "
                f"| {_number(rate)} | {p50:.2f} / {p99:.2f} | {ratio:.2f} |"
            )
    return "\n".join(lines)


def _by_round(samples: Sequence[Sample], work: str, contender: str) -> dict[int, float]:
    return {sample.round: sample.cost for sample in samples if sample.work == work and sample.contender == contender}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
