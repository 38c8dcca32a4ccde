"""The line search that Newton's methods share."""

from __future__ import annotations

from array_api_compat import array_namespace

__all__ = ["BLIND_STEPS", "line_search", "rounding_of"]

BLIND_STEPS = 5  # steps in a row whose decrease drowns in rounding
FARTHEST = 30.0  # change of a predictor in one step, under losses whose curvature is not bounded: exponentials
DECREASE = 1e-3  # Armijo's share of the predicted decrease


def line_search(problem, x, eta, point, objective, direction, slope):
    """``(x, eta, point, objective, step)`` of the first of halved steps with enough decrease.

    None if rounding leaves none.
    """
    eta_step = problem.predictors(direction)
    rounding = rounding_of(x, objective)
    if slope > rounding:
        return None
    step = 1.0 if problem.losses.smooth_bounded else min(1.0, FARTHEST / _largest(eta_step))
    for _ in range(40):
        candidate = x + step * direction
        ahead = problem.smooth(eta + step * eta_step, point.Z)
        value = ahead.value + problem.penalty.value(candidate)
        if value <= objective + DECREASE * step * slope + rounding:
            return candidate, eta + step * eta_step, ahead, value, step
        step *= 0.5
    return None


def _largest(a):
    xp = array_namespace(a)
    return max(float(xp.max(xp.abs(a))), 1.0)


def rounding_of(x, objective):
    return 8 * float(array_namespace(x).finfo(x.dtype).eps) * abs(objective)
