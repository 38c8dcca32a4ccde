"""Calibrated problems: squared loss with the noise levels held, then the noise levels at its solution, in turns.

With sigma_t given, a calibrated problem (`mtlreg.calibrated`) is one of squared loss whose label weights are those of
task t over sigma_t, and lies above the calibrated one, which it touches where sigma_t was taken; so the objective falls
with every turn. It is convex in coefficients and noise levels together. With at least as many rows of a task as
features a residual hardly follows the coefficients, and few turns suffice; a task that can be fitted exactly would
take many.

References
----------
Owen (2007), A robust hybrid of lasso and ridge regression, Contemporary Mathematics 443.
Sun & Zhang (2012), Scaled sparse linear regression, Biometrika 99.
"""

from __future__ import annotations

from mtlreg.calibrated import CalibratedProblem
from mtlreg.designs import StackedDesign
from mtlreg.problem import Problem
from mtlreg.solvers._base import State, solve
from mtlreg.solvers.fista import last_digits

__all__ = ["concomitant", "handles"]

FRACTION = 0.1  # of the present gap, to which a turn is solved
LEAST = 1e-8  # of such fractions: no turn moves any more, and proximal steps find the last digits


def handles(problem):
    """Whether the method applies: a calibrated problem whose tasks have rows of their own, as many as features.

    Where all tasks share X, accelerated proximal steps are as fast.
    """
    design = problem.design
    if not isinstance(problem, CalibratedProblem) or not isinstance(design, StackedDesign):
        return False
    return min(stop - start for start, stop in zip(design.starts, design.starts[1:], strict=False)) >= design.n_features


def concomitant(problem, state, *, max_iter, tolerance):
    """Yield a state after each turn; ``state.n_iter`` counts the iterations of the solvers within."""
    scale, fraction = problem.null.value, FRACTION
    yield state
    while fraction >= LEAST:
        weights = problem.weights / problem.by_label(problem.noise_at(state.x, state.Z))
        solution = solve(
            Problem(problem.design, problem.losses, problem.y, weights, problem.penalty),
            start=State(state.x, state.Z),
            tol=fraction * state.certificate.gap / scale,
            max_iter=max_iter - state.n_iter,
            warn=False,
            scale=scale,
        )
        state.x, state.Z = solution.x, solution.Z
        state.n_iter += max(solution.n_iter, 1)
        # the gap with the noise held can be far below that of the problem
        fraction = FRACTION if solution.n_iter else 0.1 * fraction
        yield state
    yield from last_digits(problem, state, max_iter=max_iter, tolerance=tolerance)
