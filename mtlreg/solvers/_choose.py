"""The one place that chooses a solver."""

from __future__ import annotations

from mtlreg.solvers.descent import coordinate_descent, handles
from mtlreg.solvers.fista import fista
from mtlreg.solvers.working_set import working_set

__all__ = ["SOLVERS", "choose"]

SOLVERS = {"coordinate_descent": coordinate_descent, "fista": fista, "working_set": working_set}


def choose(solver, problem):
    """The solver for a problem.

    "auto": working sets for sums over rows (their inner solver is coordinate descent for the squared loss, FISTA for
    others), FISTA for every other penalty.
    """
    if callable(solver):
        return solver
    if solver == "auto":
        return working_set if problem.penalty.row_kernel() is not None else fista
    if solver not in SOLVERS:
        raise ValueError(f"solver={solver!r} is not known: give 'auto' or one of {sorted(SOLVERS)}.")
    if solver == "working_set" and problem.penalty.row_kernel() is None:
        raise ValueError(f"solver='working_set' needs a sum over rows, not {type(problem.penalty).__name__}.")
    if solver == "coordinate_descent" and not handles(problem):
        raise ValueError("solver='coordinate_descent' needs squared loss, NumPy arrays and a sum over rows.")
    return SOLVERS[solver]
