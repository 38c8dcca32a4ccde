"""Proximal Newton: a squared-loss model at each iterate, solved by row sweeps, then a step on the support.

At W the loss is replaced by ``sum_i h_i (z_i - eta_i)^2 / 2`` with ``z = eta - u / h``; free directions are part of
the model. h is ``weight l''``, or for softmax a bound on each label's block of second derivatives. A few sweeps over
the model find the support, and Newton's method on it (`mtlreg.solvers.pieces`) the coefficients; both with a line
search. For penalties that are sums over rows.

References
----------
Lee, Sun & Saunders (2014), Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24,
algorithm 1.
"""

from __future__ import annotations

import copy

import numpy as np

from mtlreg.losses import Squared
from mtlreg.problem import Problem
from mtlreg.solvers import weighted
from mtlreg.solvers.curvature import Curvature
from mtlreg.solvers.descent import SWEEPS, batches, has_sweeps
from mtlreg.solvers.line_search import BLIND_STEPS, line_search, rounding_of
from mtlreg.solvers.pieces import support_direction
from mtlreg.task_losses import Segment, TaskLosses

__all__ = ["handles", "prox_newton", "quadratic_model"]

LONGEST_PAUSE = 31  # batches of sweeps between steps on the support that gain less than sweeps do


def handles(problem):
    """Whether the method applies: a sum over labels, a row penalty, an array type with the sweeps."""
    return problem.separable and has_sweeps(problem)


def prox_newton(problem, state, *, max_iter, tolerance):
    """Yield states of proximal Newton steps; ``state.n_iter`` counts sweeps."""
    yield state
    penalty, n_iter, blind, pause, wait = problem.penalty, 0, 0, 0, 0
    x, eta = state.x, problem.predictors(state.x)
    point = problem.smooth(eta, state.Z)
    objective = point.value + penalty.value(x)
    while n_iter < max_iter:
        before = objective
        target = _model_minimum(problem, x, point, Curvature(problem, point.eta))
        n_iter += SWEEPS
        direction = target - x
        gradient = problem.gradient(point.u)
        slope = float(np.sum(gradient * direction, dtype=np.float64)) + penalty.value(target) - penalty.value(x)
        moved = line_search(problem, x, eta, point, objective, direction, slope)
        if moved is not None:
            x, eta, point, objective, _ = moved
        swept, wait = before - objective, wait - 1
        due = wait < 0 or swept <= 1e3 * rounding_of(x, objective)
        found = support_direction(problem, x, point, Curvature(problem, point.eta)) if due else None
        if found is not None:
            further = line_search(problem, x, eta, point, objective, *found)
            gain = 0.0 if further is None else objective - further[3]
            if further is not None:
                x, eta, point, objective, _ = further
            # a step on a support that is not yet the right one costs much and gains little: rest a while
            pause = 0 if gain > swept else min(2 * pause + 1, LONGEST_PAUSE)
            wait = pause
        blind = blind + 1 if before - objective <= rounding_of(x, objective) else 0
        state.x, state.Z, state.n_iter = x, point.Z, n_iter
        state.stalled = moved is None or blind > BLIND_STEPS
        yield state


def _model_minimum(problem, x, point, curvature):
    """Near a minimiser of the model at x."""
    model = quadratic_model(problem, point, curvature.majorant)
    weighted.share(problem, model)
    return next(batches(model, x, lambda: model.null.Z))[0]


def quadratic_model(problem, point, h):
    """The problem of squared loss that has the gradient at a point, and the second derivatives h."""
    h = np.ascontiguousarray(h)
    counted = h > 0
    z = point.eta - np.where(counted, point.u / np.where(counted, h, 1), 0)
    design = copy.copy(problem.design)
    design.residualise(h)
    whole = slice(0, point.eta.shape[-1])
    losses = TaskLosses([Segment(Squared(), 1, slice(0, design.n_columns), whole, whole)])
    return Problem(design, losses, z, h, problem.penalty)
