"""The one place that chooses a solver."""

from __future__ import annotations

from functools import partial

from array_api_compat import is_numpy_array

from mtlreg.designs import SharedDesign
from mtlreg.moments import reduced_problem
from mtlreg.solvers import descent, newton, newton_cg
from mtlreg.solvers.fista import fista
from mtlreg.solvers.stages import stages
from mtlreg.solvers.working_set import working_set

__all__ = ["SOLVERS", "choose", "reduce"]

SOLVERS = {
    "coordinate_descent": descent.coordinate_descent,
    "fista": fista,
    "newton_cg": newton_cg.newton_cg,
    "prox_newton": newton.prox_newton,
    "working_set": working_set,
}


def choose(solver, problem):
    """The solver for a problem.

    Under "auto", working sets for sums over rows and best splits into such (their inner solver is coordinate descent
    for the squared loss, proximal Newton for other losses, FISTA for calibrated problems and for softmax where tasks
    have their own rows), Newton's method for quadratic penalties, FISTA for every other. A penalty that is not convex
    is solved in stages, each by the solver given.
    """
    if not problem.penalty.convex:
        return partial(stages, inner=solver)
    if callable(solver):
        return solver
    if solver == "auto":
        if problem.penalty.row_kernels():
            return working_set
        return newton_cg.newton_cg if newton_cg.handles(problem) else fista
    if solver not in SOLVERS:
        raise ValueError(f"solver={solver!r} is not known: give 'auto' or one of {sorted(SOLVERS)}.")
    if solver == "working_set" and not problem.penalty.row_kernels():
        raise ValueError(f"solver='working_set' needs a sum over rows, not {type(problem.penalty).__name__}.")
    if solver == "newton_cg" and not newton_cg.handles(problem):
        raise ValueError("solver='newton_cg' needs losses other than softmax and a quadratic penalty.")
    if solver == "prox_newton" and not newton.handles(problem):
        raise ValueError(
            "solver='prox_newton' needs a loss other than 'calibrated', NumPy arrays and a sum over rows; for softmax, "
            "rows that all tasks share."
        )
    if solver == "coordinate_descent" and not descent.handles(problem):
        raise ValueError("solver='coordinate_descent' needs squared loss, NumPy arrays and a sum over rows.")
    return SOLVERS[solver]


def reduce(problem):
    """The problem to solve in place of a given one: moments where rows are many and a Gram matrix is cheap.

    Forming the Gram matrix costs as much as ``p / n_columns`` full gradients, which a fit needs anyway.
    """
    design = problem.design
    n, p = design.n_rows, design.n_features
    exact = (
        problem.losses.quadratic
        and type(design) is SharedDesign
        and is_numpy_array(design.X)
        and problem.weights.shape[1] == 1
        and all(a is None or a.shape[-1] == 1 for a in (design.centre, design.inverse_scale))
        and not problem.penalty.null
    )
    if not exact or n < 2 * p or p > max(100, 8 * design.n_columns):
        return problem
    reduced = problem.known("reduced", lambda: reduced_problem(problem))
    return reduced.with_penalty(problem.penalty)
