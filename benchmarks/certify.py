"""The one certificate of the benchmarks: the duality gap of a W, whoever returned it.

    P(W) = |Y - X W|^2 / (2 n) + alpha Omega(W)
    D(V) = <Y, V> - n |V|^2 / 2          for every V with Omega°(X' V) <= alpha

Omega° is the dual norm. The dual point is made from W alone: V = s (Y - X W) / n with the best feasible s >= 0. A
solver that stops on a better dual point of its own gets no credit for it, and none of a solver's own numbers is used.
Plain NumPy, and none of mtlreg's code. Rounding can make a gap of zero negative by some 1e-16.
"""

import numpy as np
from scipy import sparse

__all__ = ["NORMS", "alpha_max", "objective", "relative_gap"]


def _row_norms(A):
    return np.sqrt(np.einsum("jt,jt->j", A, A))


#: family -> (norm of W, dual norm of the gradient)
NORMS = {
    "l21": (lambda W: _row_norms(W).sum(), lambda G: _row_norms(G).max()),
    "l1": (lambda W: np.abs(W).sum(), lambda G: np.abs(G).max()),
    "l1linf": (lambda W: np.abs(W).max(axis=1).sum(), lambda G: np.abs(G).sum(axis=1).max()),
}


def alpha_max(problem):
    """The smallest alpha for which W = 0 is optimal."""
    return NORMS[problem.family][1](problem.X.T @ problem.Y) / len(problem.Y)


def objective(problem, alpha, W):
    """P(W), and the residual Y - X W."""
    W = np.asarray(W, dtype=np.float64)
    rows = np.flatnonzero(W.any(axis=1))
    X = problem.X[:, rows] if sparse.issparse(problem.X) or 4 * len(rows) < len(W) else problem.X
    residual = problem.Y - X @ (W[rows] if X.shape[1] == len(rows) else W)
    return np.vdot(residual, residual) / (2 * len(problem.Y)) + alpha * NORMS[problem.family][0](W), residual


def relative_gap(problem, alpha, W):
    """``(P(W) - D(V)) / P(0)`` for the best V along the residual of W."""
    n = len(problem.Y)
    primal, residual = objective(problem, alpha, W)
    along, square = np.vdot(problem.Y, residual), np.vdot(residual, residual)
    scale = 0.0
    if square > 0:
        steepest = NORMS[problem.family][1](problem.X.T @ residual) / n
        scale = min(max(along / square, 0.0), alpha / steepest if steepest > 0 else np.inf)
    dual = scale * along / n - scale**2 * square / (2 * n)
    return float((primal - dual) / (np.vdot(problem.Y, problem.Y) / (2 * n)))
