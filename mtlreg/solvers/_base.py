"""The one driver of all solvers: stopping, certificates, history, callbacks, warnings."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

from sklearn.exceptions import ConvergenceWarning

__all__ = ["Solution", "State", "solve"]


@dataclass
class State:
    """An iterate. Solvers yield states when one is worth certifying; the driver attaches the certificate.

    Attributes
    ----------
    x : array
        Coefficients, one matrix or a stack of parts.
    Z : array or None
        Free coefficients.
    n_iter : int
        Iterations so far: proximal steps, or sweeps over the rows.
    certificate : Certificate or None
    stalled : bool
        Set by a solver that cannot improve any more at this precision.
    """

    x: Any
    Z: Any = None
    n_iter: int = 0
    certificate: Any = None
    stalled: bool = False


@dataclass
class Solution:
    """The outcome of `solve`.

    ``gap`` and ``objective`` belong to ``x``; ``tolerance`` is the absolute gap that was asked for.
    """

    x: Any
    Z: Any
    gap: float
    objective: float
    tolerance: float
    n_iter: int
    converged: bool
    gradient: Any
    history: list = field(default_factory=list)


def solve(
    problem,
    solver="auto",
    start=None,
    *,
    tol=1e-6,
    max_iter=10_000,
    callback=None,
    verbose=0,
    warn=True,
    scale=None,
):
    """Minimise a `Problem` until ``gap <= max(tol, 50 eps) * F0``, F0 the objective at W = 0.

    Parameters
    ----------
    problem : Problem
    solver : str or callable
        A name from `mtlreg.solvers`, "auto", or ``solver(problem, state)`` yielding states.
    start : Solution, State or None
        Where to begin; None begins at zero.
    tol : float
    max_iter : int
        Iterations of the solver.
    callback : callable(state) -> bool or None
        Called after every certificate; True stops.
    verbose : int
        1 prints a line a certificate.
    warn : bool
        Whether to warn when the tolerance is not reached.
    scale : float or None
        F0, if it is not the problem's own (subproblems take that of the whole).

    Returns
    -------
    Solution
    """
    from mtlreg.solvers._choose import choose, reduce

    eps = float(problem.xp.finfo(problem.design.dtype).eps)
    scale = problem.null.value if scale is None else scale
    tolerance = max(tol, 50 * eps) * scale
    if solver == "auto":
        problem = reduce(problem)
    if start is None or start.x.shape != problem.zero.shape:
        state = State(problem.zero, problem.null.Z)
    else:
        state = State(start.x, start.Z)
    if scale <= 0:  # the free directions alone fit perfectly
        gradient = problem.null_gradient
        return Solution(
            problem.zero, problem.null.Z, 0.0, problem.null.value, 0.0, 0, True, gradient, [(0, 0.0, 0.0, 0.0)]
        )
    best_dual, best, history = -float("inf"), None, []
    clock = time.perf_counter()
    for state in choose(solver, problem)(problem, state, max_iter=max_iter, tolerance=tolerance):  # noqa: B007
        certificate = problem.certify(state.x, state.Z)
        best_dual = max(best_dual, certificate.dual)
        certificate.gap = max(certificate.objective - best_dual, 0.0)
        state.certificate, state.Z = certificate, certificate.Z
        done = certificate.gap <= tolerance
        if done or best is None or certificate.objective <= best.certificate.objective:
            best = State(state.x, state.Z, state.n_iter, certificate)
        elapsed = time.perf_counter() - clock
        history.append((state.n_iter, elapsed, certificate.objective, certificate.gap))
        if verbose:
            print(
                f"[mtlreg] iteration {state.n_iter:6d}  objective {certificate.objective:.10g}  "
                f"gap {certificate.gap:.3g} (to reach: {tolerance:.3g})  {elapsed:.2f} s"
            )
        stop = callback is not None and callback(state)
        if done or state.stalled or state.n_iter >= max_iter:
            break
        if stop:
            warn = False
            break
    gap = max(best.certificate.objective - best_dual, 0.0)
    converged = gap <= tolerance
    if warn and not converged:
        warnings.warn(
            f"The duality gap reached {gap / scale:.3g} (relative to the objective at zero), not "
            f"{max(tol, 50 * eps):.3g}, after {state.n_iter} iterations. Increase max_iter or tol, standardise the "
            "features, or give a larger alpha.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Solution(
        best.x,
        best.Z,
        gap,
        best.certificate.objective,
        tolerance,
        state.n_iter,
        converged,
        best.certificate.gradient,
        history,
    )
