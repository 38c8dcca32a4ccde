"""The one driver of all solvers: stopping, certificates, history, callbacks, warnings."""

from __future__ import annotations

import math
import sys
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

from sklearn.exceptions import ConvergenceWarning

__all__ = ["Solution", "State", "check_finite", "solve"]


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
    bound : float
        Of the optimum, from below, where the solver knows a dual point of its own.
    """

    x: Any
    Z: Any = None
    n_iter: int = 0
    certificate: Any = None
    stalled: bool = False
    bound: float = -math.inf


@dataclass
class Solution:
    """The outcome of `solve`.

    Attributes
    ----------
    x : array
        Coefficients, one matrix or a stack of parts.
    Z : array or None
        Free coefficients.
    gap, objective : float
        At x; the gap is NaN under a penalty that is not convex.
    residual : float
        How far x is from stationary: the gap, or that in the convex problem which majorises a non-convex one at x.
    tolerance : float
        The residual that was asked for, absolute.
    n_iter : int
    converged : bool
        Whether ``residual <= tolerance``.
    history : list of (iteration, seconds, objective, residual)
        One entry a certificate.
    """

    x: Any
    Z: Any
    gap: float
    residual: float
    objective: float
    tolerance: float
    n_iter: int
    converged: bool
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
    from mtlreg.solvers import compression
    from mtlreg.solvers._choose import choose, reduce

    nothing_to_fit = scale is None and problem.fitted_at_zero
    reducible = solver == "auto" and not nothing_to_fit
    given, problem = problem, reduce(problem) if reducible else problem
    scale = problem.null.value if scale is None else scale
    check_finite(scale)
    if reducible and compression.applies(problem):
        settings = {"tol": tol, "max_iter": max_iter, "verbose": verbose, "warn": warn, "scale": scale}
        outcome = compression.solve(problem, start, callback, **settings)
        outcome.x = given.own(outcome.x)
        return outcome
    run = (_Run if problem.penalty.convex else _StagesRun)(problem, tol, scale, verbose)
    # a start outside the penalty's domain (a constraint that is new) is worth nothing
    if start is None or start.x.shape != problem.zero.shape or problem.penalty.value(start.x) == float("inf"):
        state = State(problem.origin, problem.null.Z)
    else:
        state = State(problem.own(start.x), None if problem.free is None else start.Z)
    if nothing_to_fit or scale <= 0:
        run.certify(State(problem.origin, problem.null.Z))
        # no objective is negative: what is left is at most F0, rounding
        run.tolerance = max(run.tolerance, run.residual)
        return run.solution(given)
    method = choose(solver, problem)
    told_to_stop = False
    for iterate in method(problem, state, max_iter=max_iter, tolerance=run.tolerance):
        run.certify(iterate)
        told_to_stop = callback is not None and bool(callback(iterate))
        if run.finished or told_to_stop or iterate.stalled or iterate.n_iter >= max_iter:
            break
    if warn and not run.reached and not told_to_stop:
        run.warn()
    return run.solution(given)


def check_finite(value):
    """Raise a ValueError where numbers have overflowed."""
    if not math.isfinite(value):
        raise ValueError(
            "The objective or its curvature overflows: X, y or the weights hold numbers too large for their dtype. "
            "Rescale them (standardize=True, or another unit of y), or give float64."
        )


ADVICE = "Increase max_iter or tol, standardise the features, or give a larger alpha."


def warn_not_reached(measure, reached, wanted, n_iter, advice):
    """Say that a solver has stopped short of what was asked for."""
    warnings.warn(
        f"The {measure} reached {reached:.3g} (relative to the objective at zero), not {wanted:.3g}, after {n_iter} "
        f"iterations. {advice}",
        ConvergenceWarning,
        stacklevel=levels_above_package(),
    )


class _Run:
    """Certificates of one call of `solve`: the best dual point, the iterate to return, the history."""

    measure, short = "duality gap", "gap"

    def __init__(self, problem, tol, scale, verbose):
        self.problem, self.scale, self.verbose = problem, scale, verbose
        self.relative = max(tol, 50 * float(problem.xp.finfo(problem.design.dtype).eps))
        self.tolerance = self.relative * scale
        self.dual = -float("inf")
        self.best = None
        self.history = []
        self.clock = time.perf_counter()

    @property
    def residual(self):
        """Gap of the iterate to return, against the best dual point."""
        return max(self.best.certificate.objective - self.dual, 0.0)

    @property
    def gap(self):
        """What is known of its distance from the optimum."""
        return self.residual

    @property
    def reached(self):
        """Whether the residual is what was asked for."""
        return self.residual <= self.tolerance

    @property
    def finished(self):
        """Whether no further iterate is wanted."""
        return self.reached

    @property
    def advice(self):
        """What may help where the tolerance was not reached."""
        return ADVICE

    def certify(self, state):
        """Attach a certificate to a state and keep the state if it is the best."""
        certificate = self.problem.certify(state.x, state.Z)
        certificate.dual = max(certificate.dual, state.bound)
        self.compare(certificate)
        state.certificate, state.Z = certificate, certificate.Z
        if self.best is None or self.better(certificate):
            self.best = State(state.x, state.Z, state.n_iter, certificate)
        self.n_iter = state.n_iter
        elapsed = time.perf_counter() - self.clock
        self.history.append((state.n_iter, elapsed, certificate.objective, certificate.gap))
        if self.verbose:
            print(
                f"[mtlreg] iteration {state.n_iter:6d}  objective {certificate.objective:.10g}  "
                f"{self.short} {certificate.gap:.3g} (to reach: {self.tolerance:.3g})  {elapsed:.2f} s"
            )

    def compare(self, certificate):
        """Measure a certificate by the best dual point."""
        self.dual = max(self.dual, certificate.dual)
        certificate.gap = max(certificate.objective - self.dual, 0.0)

    def better(self, certificate):
        """Whether this is the one to return."""
        return certificate.gap <= self.tolerance or certificate.objective <= self.best.certificate.objective

    def warn(self):
        """Say that the tolerance was not reached, and what was."""
        warn_not_reached(self.measure, self.residual / self.scale, self.relative, self.n_iter, self.advice)

    def solution(self, given):
        """The outcome, in the arrays of the problem that was given."""
        best = self.best
        return Solution(
            given.own(best.x),
            best.Z,
            self.gap,
            self.residual,
            best.certificate.objective,
            self.tolerance,
            self.n_iter,
            self.reached,
            self.history,
        )


class _StagesRun(_Run):
    """The same for a penalty that is not convex: every point is measured by a convex problem of its own."""

    measure, short = "stationarity residual", "residual"
    finished = False  # the stages end by themselves: a start may be stationary and yet poor

    @property
    def residual(self):
        return self.best.certificate.gap

    @property
    def gap(self):
        return math.nan

    @property
    def advice(self):
        if self.best.certificate.majorant.attained:
            return super().advice
        return (
            "Features that the penalty leaves free separate the classes of a task, and their coefficients would run to "
            "infinity. Give a larger alpha, or another penalty."
        )

    def compare(self, certificate):
        pass

    def better(self, certificate):
        rounding = 8 * float(self.problem.xp.finfo(self.problem.design.dtype).eps) * self.scale
        return certificate.objective <= self.best.certificate.objective + rounding


def levels_above_package():
    """How far up the user's own line is, for a warning that points there."""
    frame, level = sys._getframe(1), 1
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("mtlreg", "sklearn"):
        frame, level = frame.f_back, level + 1
    return level
