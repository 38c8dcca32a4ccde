"""Newton's method on the rows of W that are not zero, for squared loss with one Gram matrix and l1/l2 rows.

Where no row is zero, ``row sum_j |W_j|_2`` is smooth. With G the Gram matrix of these rows, U their directions and
``D = row / |W_j|_2``, the Hessian maps a step S to

    (G + ridge I + D) S - D U s,        s_j = <U_j, S_j>,

which one Cholesky factor of ``M = G + ridge I + D`` and another of ``D^-1 - M^-1 o (U U')`` invert (o: entry by entry).
Sweeps before and after find which rows those are.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

__all__ = ["handles", "newton_step", "pays"]

STEPS = 0.5 ** np.arange(8)  # lengths that are tried


def handles(kernels):
    """Whether the penalty is one part, ``row sum_j |W_j|_2`` and perhaps a ridge."""
    return len(kernels) == 1 and kernels[0][0] == 0 and kernels[0][2] == 2 and kernels[0][1] > 0 and not kernels[0][4]


def pays(n_rows, products):
    """Whether a step on so many rows costs no more than some forty sweeps of so many products each."""
    return n_rows**3 <= 80 * products


def newton_step(G, Q, W, row, ridge):
    """The best of some lengths of the Newton step, (n_rows, n_columns); None where there is no descent.

    Parameters
    ----------
    G : ndarray (n_rows, n_rows)
        Gram matrix of the rows.
    Q : ndarray (n_rows, n_columns)
        Minus the gradient of the loss at W.
    W : ndarray (n_rows, n_columns)
        No row is zero.
    row, ridge : float
    """
    norms = np.linalg.norm(W, axis=1, keepdims=True)
    U, D = W / norms, row / norms[:, 0]
    gradient = ridge * W + row * U - Q
    S = _solve(G, U, D, gradient, ridge)
    if S is None:
        return None
    slope, GS = float(np.vdot(gradient, S)), G @ S
    bend = float(np.vdot(S, GS)) + ridge * float(np.vdot(S, S))
    linear = slope - row * float(np.vdot(U, S))  # of the part that is quadratic
    changes = [
        t * linear + 0.5 * t**2 * bend + row * float(np.sum(np.linalg.norm(W + t * S, axis=1) - norms[:, 0]))
        for t in STEPS
    ]
    best = int(np.argmin(changes))
    return STEPS[best] * S if changes[best] < 0 else None


def _solve(G, U, D, gradient, ridge):
    """Minus the inverse Hessian times the gradient, or None where a factor fails."""
    M = G + np.diag(D + ridge)
    try:
        inverse = _inverse(M)
        plain = -inverse @ gradient
        inner = linalg.cho_factor(np.diag(1 / D) - inverse * (U @ U.T), check_finite=False)
        along = linalg.cho_solve(inner, np.sum(U * plain, axis=1), check_finite=False)
    except linalg.LinAlgError:
        return None
    return plain + inverse @ (along[:, None] * U)


def _inverse(M):
    """The inverse of a symmetric matrix, for half the work of solving for the unit vectors."""
    factor, _ = linalg.cho_factor(M, lower=True, overwrite_a=True, check_finite=False)
    lower, _ = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
    lower = np.tril(lower)
    return lower + np.tril(lower, -1).T
