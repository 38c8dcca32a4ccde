"""Proximal Newton: a squared-loss model at each iterate, solved by row sweeps, with a line search.

At W the loss is replaced by ``sum_i h_i (z_i - eta_i)^2 / 2`` with ``h = weight l''`` and ``z = eta - u / h``; free
directions are part of the model. For losses with one column a label and penalties that are sums over rows.

References
----------
Lee, Sun & Saunders (2014), Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24,
algorithm 1.
"""

from __future__ import annotations

import copy

import numpy as np
from array_api_compat import array_namespace

from mtlreg.losses import Squared
from mtlreg.problem import Problem
from mtlreg.solvers.descent import SWEEPS, batches, has_sweeps
from mtlreg.task_losses import Segment, TaskLosses

__all__ = ["handles", "line_search", "prox_newton", "rounding_of", "second_derivatives"]

MAX_BATCHES = 40  # of sweeps for one model
BLIND_STEPS = 5  # steps in a row whose decrease drowns in rounding
FLAT = 1e-4  # least second derivative in a model, as a share of the largest possible or present one
DECREASE = 1e-3  # Armijo's share of the predicted decrease
LEAST_REDUCTION = 1e-8  # of the first sweeps' change, at which a model counts as solved


def handles(problem):
    """Whether the method applies: one column a label, a row penalty, an array type with the sweeps."""
    return problem.losses.scalar and problem.separable and has_sweeps(problem)


def prox_newton(problem, state, *, max_iter, tolerance):
    """Yield states of proximal Newton steps; ``state.n_iter`` counts sweeps."""
    yield state
    penalty, n_iter, blind, reduction = problem.penalty, 0, 0, 0.1
    x, eta = state.x, problem.predictors(state.x)
    point = problem.smooth(eta, state.Z)
    objective = point.value + penalty.value(x)
    while n_iter < max_iter:
        reduction = max(0.1 * reduction, LEAST_REDUCTION)  # inexact models far away, exact ones near the end
        target, sweeps = _model_minimum(problem, x, point, reduction)
        n_iter += sweeps
        direction = target - x
        gradient = problem.gradient(point.u)
        slope = float(np.sum(gradient * direction, dtype=np.float64)) + penalty.value(target) - penalty.value(x)
        moved = line_search(problem, x, eta, point, objective, direction, slope)
        if moved is not None:
            blind = blind + 1 if objective - moved[3] <= rounding_of(x, objective) else 0
            x, eta, point, objective, _ = moved
        state.x, state.Z, state.n_iter = x, point.Z, n_iter
        state.stalled = moved is None or blind > BLIND_STEPS
        yield state


def _model_minimum(problem, x, point, reduction):
    """A minimiser of the model at x (nearly), and the sweeps it took."""
    h = np.ascontiguousarray(second_derivatives(problem, point.eta))
    counted = h > 0
    z = point.eta - np.where(counted, point.u / np.where(counted, h, 1), 0)
    design = copy.copy(problem.design)
    design.residualise(h)
    whole = slice(0, problem.y.shape[-1])
    losses = TaskLosses([Segment(Squared(), 1, slice(0, design.n_columns), whole, whole)])
    model = Problem(design, losses, z, h, problem.penalty)
    first = None
    for batch, (W, change) in enumerate(batches(model, x, lambda: model.null.Z), start=1):
        first = change if first is None else first
        if change <= reduction * first or batch >= MAX_BATCHES:
            return W, batch * SWEEPS


def second_derivatives(problem, eta, flat=FLAT):
    """``weight l''`` of every label, kept away from zero where the label counts (unless ``flat`` is 0).

    Of a problem that is no sum over labels, its `curvature`.
    """
    if not problem.separable:
        return problem.curvature(eta)
    xp, parts = problem.xp, []
    for s in problem.losses.segments:
        h = s.loss.hessian(problem.y[..., s.labels], eta[..., s.columns])
        w = problem.column_weights[..., s.columns] if problem.column_weights.shape[-1] != 1 else problem.column_weights
        top = s.loss.curvature if s.loss.curvature is not None else max(float(xp.max(h * (w > 0))), 1e-300)
        parts.append(xp.clip(h, min=flat * top))
    h = parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1)
    return problem.column_weights * h


def line_search(problem, x, eta, point, objective, direction, slope):
    """``(x, eta, point, objective, step)`` of the first of halved steps with enough decrease.

    None if rounding leaves none.
    """
    eta_step = problem.predictors(direction)
    rounding = rounding_of(x, objective)
    if slope > rounding:
        return None
    step = 1.0
    for _ in range(40):
        candidate = x + step * direction
        ahead = problem.smooth(eta + step * eta_step, point.Z)
        value = ahead.value + problem.penalty.value(candidate)
        if value <= objective + DECREASE * step * slope + rounding:
            return candidate, eta + step * eta_step, ahead, value, step
        step *= 0.5
    return None


def rounding_of(x, objective):
    return 8 * float(array_namespace(x).finfo(x.dtype).eps) * abs(objective)
