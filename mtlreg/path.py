"""Regularisation paths: grids of strengths and warm-started solutions along them."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field

import numpy as np

from mtlreg.solvers import State, batch, solve

__all__ = ["RegularizationPath", "alpha_grid", "solve_path"]


@dataclass
class RegularizationPath:
    """Solutions for decreasing strengths.

    Attributes
    ----------
    alphas : ndarray (n_alphas,)
        Decreasing.
    coefs : ndarray (n_alphas, n_columns, n_features)
    intercepts : ndarray (n_alphas, n_columns)
    dual_gaps, residuals, objectives : ndarray (n_alphas,)
        Under a penalty that is not convex the gaps are NaN, and the residuals say how far from stationary each is;
        under others the two are the same.
    n_iters : ndarray of int (n_alphas,)
    converged : ndarray of bool (n_alphas,)
    components : list of dict
        Parts of the coefficients by name, for compound penalties.
    """

    alphas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    dual_gaps: np.ndarray
    residuals: np.ndarray
    objectives: np.ndarray
    n_iters: np.ndarray
    converged: np.ndarray
    components: list = field(default_factory=list)

    @classmethod
    def collect(cls, encoding, alphas, solutions):
        """The path of an encoded problem from its solutions."""
        records, names = [], encoding.problem.penalty.part_names
        for s in solutions:
            coef, intercept, parts = encoding.decode(s.x, s.Z)
            named = dict(zip(names, parts, strict=False))
            records.append((coef, intercept, s.gap, s.residual, s.objective, s.n_iter, s.converged, named))
        columns = list(zip(*records, strict=True))
        return cls(np.asarray(alphas), *map(np.array, columns[:-1]), components=list(columns[-1]))


def alpha_grid(problem, alphas, eps):
    """Strengths in decreasing order: as given, or so many on a geometric grid over the penalty's range."""
    if isinstance(alphas, numbers.Integral) and not isinstance(alphas, bool):
        if alphas < 1:
            raise ValueError(f"alphas={alphas!r} must be at least 1.")
        if not 0 < eps < 1:
            raise ValueError(f"eps={eps!r} must be in (0, 1).")
        low, high = problem.penalty.alpha_range(problem, eps)
        if high <= 0:  # labels that the free directions fit alone: any strength gives zero
            high = float(np.finfo(np.float64).eps)
            low = eps * high
        return np.geomspace(high, low, alphas)
    grid = np.sort(np.asarray(alphas, dtype=np.float64).ravel())[::-1]
    if not grid.size or not np.isfinite(grid).all() or (grid < 0).any():
        raise ValueError(f"alphas must be a count or finite strengths >= 0, got {alphas!r}.")
    return grid


def solve_path(problem, grid, solver, **settings):
    """Yield solutions of a problem along a decreasing grid, each started from the one before."""
    if grid[-1] == 0:
        raise ValueError("alphas must be > 0 on a path; fit with alpha=0 for the unpenalised model.")
    if batch.handles(problem, solver, len(grid)):
        for (solution,) in batch.solve_batches([problem], grid.tolist(), **settings):
            yield solution
        return
    before = last = None
    for alpha in grid.tolist():
        scaled = problem.with_alpha(alpha)
        solution = solve(scaled, solver, _ahead(scaled, alpha, before, last), **settings)
        before, last = last, (alpha, solution)
        yield solution


def _ahead(problem, alpha, before, last):
    """Where to begin: on the line through the last two solutions, since paths are nearly straight in alpha.

    Rows that have not been reached stay zero.
    """
    if last is None or before is None or not problem.penalty.convex:
        return None if last is None else last[1]
    (alpha_0, first), (alpha_1, second) = before, last
    if not alpha_1 < alpha_0:
        return second
    step = min((alpha_1 - alpha) / (alpha_0 - alpha_1), 1.0)  # no further than the points are apart
    reached = problem.xp.any(second.x != 0, axis=-1, keepdims=True)
    x = problem.xp.where(reached, second.x + step * (second.x - first.x), second.x)
    # a line can leave the penalty's domain, such as W >= 0
    return second if problem.penalty.value(x) == float("inf") else State(x, second.Z)
