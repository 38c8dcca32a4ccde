"""Working sets: solve small problems on the rows that matter, certify on all of them.

The working set holds every non-zero row and the worst violators of the dual constraint, twice as many as there are
non-zero rows; it is solved to a fraction of the present gap by another solver.

References
----------
Massias, Gramfort & Salmon (2018), Celer: a fast solver for the lasso with dual extrapolation, ICML, section 4.
"""

from __future__ import annotations

from functools import partial

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.solvers import descent, gram, newton, task_gram
from mtlreg.solvers._base import State, solve
from mtlreg.solvers.fista import fista

__all__ = ["FRACTION", "SMALLEST", "choose_rows", "working_set"]

SMALLEST = 100
GROWTH = 4
CROWDED = 0.9
WHOLE = 0.8
FRACTION = 0.1  # of the present gap, to which a subproblem is solved


def working_set(problem, state, *, max_iter, tolerance):
    """Yield states after each subproblem; ``state.n_iter`` counts the inner solver's iterations."""
    xp = problem.xp
    inner = inner_solver(problem)
    scale = problem.null.value
    rows, fraction, size = None, FRACTION, SMALLEST
    yield state
    while state.n_iter < max_iter:
        before = rows
        rows, size = _choose_rows(problem, state, size)
        state.certificate.descent = None  # room for the next, which is as large as W
        unchanged = before is not None and rows.shape == before.shape and bool(xp.all(rows == before))
        fraction = fraction * 0.1 if unchanged else FRACTION
        goal = max(fraction * state.certificate.gap, 0.1 * tolerance if unchanged else 0.5 * tolerance)
        whole = rows.shape[0] == problem.design.n_features
        sub = problem if whole else _restricted(problem, rows)
        solution = solve(
            sub,
            partial(_begun, inner),
            State(state.x if whole else xp.take(state.x, rows, axis=-2), state.Z),
            tol=goal / scale,
            max_iter=max_iter - state.n_iter,
            warn=False,
            scale=scale,
        )
        state.x = (
            solution.x if whole else for_array(solution.x).spread_rows(solution.x, rows, problem.design.n_features)
        )
        state.Z = solution.Z
        state.n_iter += max(solution.n_iter, 1)
        state.stalled = unchanged and goal <= 0.2 * tolerance and not solution.converged
        yield state


def _begun(method, problem, state, **settings):
    """A solver without a certificate of its start, which here is known not to be good enough."""
    steps = method(problem, state, **settings)
    next(steps)
    yield from steps


def inner_solver(problem):
    """What solves the subproblems: sweeps for squared loss, proximal Newton for other losses, FISTA for the rest."""
    if descent.handles(problem):
        return descent.coordinate_descent
    return newton.prox_newton if newton.handles(problem) else fista


def _restricted(problem, rows):
    """The problem of a working set, with what is known of its Gram matrix."""
    sub = problem.restrict(rows)
    if descent.handles(sub) and gram.handles(sub):
        gram.share(problem, sub, rows)
    if descent.handles(sub) and task_gram.has_gram(sub):
        task_gram.share(problem, sub, rows)
    return sub


def _choose_rows(problem, state, size):
    """The working set, sorted, and the size to start from next time."""
    xp = problem.xp
    sizes = for_array(state.x).row_norms(xp.reshape(state.x, (-1, problem.design.n_columns)), float("inf"))
    active = xp.any(xp.reshape(sizes, (-1, problem.design.n_features)) > 0, axis=0)  # in any part
    return choose_rows(active, problem.penalty.row_violations(state.certificate.descent), size)


def choose_rows(active, violations, size):
    """The active rows and the worst violators of the dual constraint, sorted, and the size to start from next time.

    Parameters
    ----------
    active : bool array of shape (p,)
    violations : array of shape (p,)
        > 0 where the constraint is violated.
    size : int
        What came second the last time; `SMALLEST` at first.
    """
    xp, p = array_namespace(active), active.shape[0]
    score = xp.where(active, xp.asarray(xp.inf, dtype=violations.dtype), violations)
    n_active = int(xp.sum(xp.astype(active, xp.int64)))
    size = min((GROWTH if n_active > CROWDED * size else 2) * max(n_active, size // 2), p)
    if size > WHOLE * p:
        return xp.arange(p), size
    order = xp.argsort(-score)[:size]
    rows = xp.sort(order[xp.take(score, order) > 0])
    return (rows if rows.shape[0] else xp.arange(p)), size
