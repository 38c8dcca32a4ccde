"""The one place that chooses a solver."""

from __future__ import annotations

from functools import partial

from array_api_compat import is_numpy_array

from mtlreg.designs import StackedDesign
from mtlreg.moments import pays_by_task, reduced_problem
from mtlreg.solvers import concomitant, descent, models, newton, newton_cg, spectral, splitting
from mtlreg.solvers.fista import fista
from mtlreg.solvers.stages import stages
from mtlreg.solvers.working_set import working_set
from mtlreg.validation import is_sparse

__all__ = ["SOLVERS", "choose", "reduce"]

SOLVERS = {
    "coordinate_descent": descent.coordinate_descent,
    "fista": fista,
    "newton_cg": newton_cg.newton_cg,
    "prox_newton": newton.prox_newton,
    "spectral": spectral.spectral,
    "working_set": working_set,
}


def choose(solver, problem):
    """The solver for a problem.

    Under "auto", working sets for sums over rows and best splits into such (their inner solver is coordinate descent
    for the squared loss, proximal Newton for other losses, FISTA for calibrated problems and for softmax where tasks
    have their own rows), Newton's method for quadratic penalties, the eigenvectors of a Gram matrix for squared loss
    and spectral penalties where they are not dear, splitting for the rest where each task has a small Gram matrix,
    models of squared loss for other losses where moments stand for such, FISTA for every other. Calibrated problems
    with rows enough are solved in turns, each so. A penalty that is not convex is solved in stages, each by the solver
    given.
    """
    if not problem.penalty.convex:
        return partial(stages, inner=solver)
    if callable(solver):
        return solver
    if solver == "auto":
        if concomitant.handles(problem) and not newton_cg.handles(problem):
            return concomitant.concomitant
        if problem.penalty.row_kernels():
            return working_set
        if newton_cg.handles(problem):
            return newton_cg.newton_cg
        if spectral.handles(problem) and spectral.pays(problem):
            return spectral.spectral
        if splitting.handles(problem):
            return splitting.splitting
        return models.newton_models if models.handles(problem) else fista
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
    if solver == "spectral" and not spectral.handles(problem):
        raise ValueError(
            "solver='spectral' needs squared loss, a shared dense X of float64 with the same weights for all tasks, "
            "and a penalty of the singular values, such as TraceNorm()."
        )
    return SOLVERS[solver]


def reduce(problem):
    """The problem to solve in place of a given one: moments where rows are many and a Gram matrix is cheap.

    Forming the Gram matrix of shared rows costs as much as ``p / n_columns`` full gradients, which a fit needs anyway;
    one for each task as much as p. Moments of rows on a GPU are formed there and solved on the host.
    """
    X = problem.design.X
    if not problem.losses.quadratic or problem.penalty.null or is_sparse(X):
        return problem
    stacked = isinstance(problem.design, StackedDesign)
    fewer = is_numpy_array(X) and pays_by_task(problem.design) if stacked else _fewer_shared(problem)
    if not fewer:
        return problem
    reduced = problem.known("reduced", lambda: reduced_problem(problem))
    return reduced.with_penalty(problem.penalty)


def _fewer_shared(problem):
    """Whether moments stand for shared rows, and are worth it."""
    design = problem.design
    n, p = design.n_rows, design.n_features
    return problem.one_gram and n >= 2 * p and p <= max(100, 8 * design.n_columns)
