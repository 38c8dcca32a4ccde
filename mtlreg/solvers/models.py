"""Proximal Newton for any penalty: models of squared loss, each solved by whatever solves such problems.

For tasks with rows of their own and few features: a model is then one of small moments, and costs little beside the
proximal steps that badly conditioned losses (classes that are nearly separated) would take. See
`mtlreg.solvers.newton` for sums over rows.

References
----------
Lee, Sun & Saunders (2014), Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24,
algorithm 1.
"""

from __future__ import annotations

import numpy as np

from mtlreg.designs import StackedDesign
from mtlreg.moments import pays_by_task
from mtlreg.solvers._base import State, solve
from mtlreg.solvers.curvature import second_derivatives
from mtlreg.solvers.fista import last_digits
from mtlreg.solvers.line_search import line_search, rounding_of
from mtlreg.solvers.newton import quadratic_model

__all__ = ["handles", "newton_models"]

FRACTION = 0.01  # of the present gap, to which a model is solved
LEAST = 1e-9  # of such fractions: no model leads any further, and proximal steps find the last digits


def handles(problem):
    """Whether the method applies: scalar losses that are not squared, and models that moments stand for."""
    return (
        problem.losses.scalar
        and not problem.losses.quadratic
        and problem.separable
        and isinstance(problem.design, StackedDesign)
        and isinstance(problem.design.X, np.ndarray)
        and pays_by_task(problem.design)
    )


def newton_models(problem, state, *, max_iter, tolerance):
    """Yield a state after each model; ``state.n_iter`` counts the iterations of the solvers within."""
    scale, penalty, fraction = problem.null.value, problem.penalty, FRACTION
    yield state
    x, eta = state.x, problem.predictors(state.x)
    point = problem.smooth(eta, state.Z)
    objective = point.value + penalty.value(x)
    while fraction >= LEAST:
        solution = solve(
            quadratic_model(problem, point, second_derivatives(problem, point.eta)),
            start=State(x),
            tol=fraction * state.certificate.gap / scale,
            max_iter=max_iter - state.n_iter,
            warn=False,
            scale=scale,
        )
        direction = solution.x - x
        slope = float(np.sum(problem.spread(problem.gradient(point.u)) * direction, dtype=np.float64))
        slope += penalty.value(solution.x) - penalty.value(x)
        moved = line_search(problem, x, eta, point, objective, direction, slope)
        # the gap of a model can be far below that of the problem: a model solved no better leads nowhere
        further = moved is not None and objective - moved[3] > rounding_of(x, objective)
        fraction = FRACTION if further else 0.1 * fraction
        if moved is not None:
            x, eta, point, objective, _ = moved
        state.x, state.Z = x, point.Z
        state.n_iter += max(solution.n_iter, 1)
        yield state
    yield from last_digits(problem, state, max_iter=max_iter, tolerance=tolerance)
