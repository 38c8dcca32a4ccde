"""Alternating minimisation: sweeps with Anderson extrapolation, guarded by the objective, and a gap after some.

References
----------
Walker & Ni (2011), Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49.
"""

from __future__ import annotations

import numpy as np

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
    at, past = evaluate(point), _Past(point.shape)
    for _ in range(n_steps):
        following = follow(at)
        if not np.any(following != at.point):
            break
        past.add(at.point, following)
        extrapolated = evaluate(past.extrapolated()) if past.count > 1 else None
        if extrapolated is not None and extrapolated.value <= at.value:
            at = extrapolated
        else:
            at = evaluate(following)
            past.count = past.count if extrapolated is None else 0
    return at


class _Past:
    """The last `MEMORY` points and what followed on them, to be combined so that the steps cancel."""

    def __init__(self, shape):
        self.shape, self.count = shape, 0
        self.steps, self.followings = np.empty((2, MEMORY, shape[0] * shape[1]))

    def add(self, point, following):
        slot = self.count % MEMORY
        self.steps[slot], self.followings[slot] = (following - point).ravel(), following.ravel()
        self.count += 1

    def extrapolated(self):
        steps = self.steps[: self.count]
        steps = steps / np.abs(steps).max()
        gram = steps @ steps.T
        gram.flat[:: len(gram) + 1] += 1e-12 * np.trace(gram)
        weights = np.linalg.solve(gram, np.ones(len(gram)))
        return ((weights / weights.sum()) @ self.followings[: self.count]).reshape(self.shape)
