"""Alternating minimisation: sweeps with Anderson extrapolation, guarded by the objective, and a gap after some."""

from __future__ import annotations

import numpy as np

from mtlreg.solvers.anderson import Extrapolation

__all__ = ["accelerated", "alternate"]

MEMORY = 6  # points that are combined
SWEEPS = 10  # between gaps
LONGEST = 20  # gaps without a yield
STILL = 5  # gaps without progress, at which nothing but rounding is left


def alternate(model, point, *, max_iter, tolerance):
    """Yield ``(point, sweeps, stalled)`` when the gap should be below the tolerance, or after a while.

    Parameters
    ----------
    model : FactoredProblem or MajorisedProblem
        ``model.advance(point, n_sweeps)`` gives the next point, an objective that does not rise, and about the gap.
    point : object
        As the model's ``start`` gives it.
    max_iter : int
        Sweeps.
    tolerance : float
        Of the duality gap, absolute.
    """
    n_iter, still, silent, goal = 0, 0, 0, tolerance
    value, least = np.inf, np.inf
    while True:
        n_sweeps = min(SWEEPS, max_iter - n_iter)
        n_iter += n_sweeps
        point, reached, gap = model.advance(point, n_sweeps)
        progress = value - reached > 4 * np.finfo(np.float64).eps * abs(reached) or gap < least
        still, silent = 0 if progress else still + 1, silent + 1
        value, least = min(value, reached), min(least, gap)
        stalled = still >= STILL
        if gap <= goal or stalled or silent >= LONGEST or n_iter >= max_iter:
            silent, goal = 0, min(goal, 0.3 * gap)  # to be more careful if that was not enough
            yield point, n_iter, stalled


def accelerated(evaluate, follow, point, n_steps):
    """What ``evaluate`` gives at the last of so many points of the iteration from ``point`` on.

    Parameters
    ----------
    evaluate : callable(point)
        Gives an object with attributes ``point`` and ``value``, the objective there.
    follow : callable(at)
        The next point by the iteration, given such an object.
    point : array
    n_steps : int
    """
    at, extrapolation = evaluate(point), Extrapolation(MEMORY)
    for _ in range(n_steps):
        following = follow(at)
        if not np.any(following != at.point):
            break
        extrapolation.add(following - at.point, following)
        candidate = extrapolation.point()
        ahead = None if candidate is None else evaluate(candidate)
        if ahead is not None and ahead.value <= at.value:
            at = ahead
            continue
        at = evaluate(following)
        if ahead is not None:
            extrapolation.clear()
    return at
