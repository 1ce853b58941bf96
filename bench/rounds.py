"""Rounds and what is made of them: the sides in turn, medians, quantiles, ratios. No IO."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def in_turn(sides: Sequence[S], rounds: int) -> Iterator[tuple[int, S]]:
    """Every side once per round, the order reversed every other round, so that drift favours nobody."""
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            yield number, side


def interleaved(sides: Sequence[S], rounds: int, measure: Callable[[S], T]) -> list[list[T]]:
    """Measure all sides in the same rounds.

    Returns:
        For each side, in the order given, what was measured, one a round.
    """
    found: list[list[T]] = [[] for _ in sides]
    for _, at in in_turn(range(len(sides)), rounds):
        found[at].append(measure(sides[at]))
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median, over the rounds, of ours over theirs in the same round, to three digits after the point.

    A machine that changes its speed between rounds moves both sides of a round; the ratio of two medians, each of
    another round, scattered by a third where this does not.
    """
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 3)
