"""Newton's method on the rows of W that are not zero, for squared loss with one Gram matrix and l1/l2 rows.

Where no row is zero, ``row sum_j |W_j|_2`` is smooth. With G the Gram matrix of these rows, U their directions and
``D = row / |W_j|_2``, the Hessian maps a step S to

    (G + ridge I + D) S - D U s,        s_j = <U_j, S_j>,

which one Cholesky factor of ``M = G + ridge I + D`` and another of ``D^-1 - M^-1 o (U U')`` invert (o: entry by entry).
For many rows conjugate gradients are cheaper, preconditioned by what each row's own entries of the Hessian are. Sweeps
before and after find which rows those are; steps get no more time than sweeps do.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from mtlreg.kernels import for_array
from mtlreg.solvers.newton_cg import conjugate_gradients

__all__ = ["SupportSteps", "handles", "newton_step"]

STEPS = 0.5 ** np.arange(8)  # lengths that are tried
MAX_CG = 25
REDUCTION = 0.02  # of the residual of the Newton system, by conjugate gradients


def handles(kernels):
    """Whether the penalty is one part, ``row sum_j |W_j|_2`` and perhaps a ridge."""
    return len(kernels) == 1 and kernels[0][0] == 0 and kernels[0][2] == 2 and kernels[0][1] > 0 and not kernels[0][4]


class SupportSteps:
    """Newton's steps between sweeps over one side of a problem (see `mtlreg.solvers.columns`)."""

    def __init__(self, side, kernels):
        self.side, self.kernels = side, kernels
        self.possible = handles(kernels) and hasattr(side, "on_rows")
        self.credit = 0.0  # products made by sweeps and not yet by steps

    def proposal(self, iterates, residual):
        """W after a step from the last of some iterates, or None: too dear, or the support has not settled."""
        W = iterates[-1]
        if not self.possible:
            return None
        self.credit += (len(iterates) - 1) * self.side.products
        rows = for_array(W).active_rows(W)
        if not len(rows) or not np.array_equal(rows, for_array(W).active_rows(iterates[-2])):
            return None
        single = self.side.products_on(len(rows))
        direct = len(rows) ** 3 <= MAX_CG * single
        cost = len(rows) ** 3 if direct else MAX_CG * single
        if cost > self.credit:
            return None
        self.credit -= cost
        product, Q = self.side.on_rows(rows, W, residual)
        _, row, _, ridge, _ = self.kernels[0]
        step = newton_step(product, Q, W[rows], row, ridge, None if direct else self.side.curvature[rows])
        return None if step is None else W + for_array(W).spread_rows(step.astype(W.dtype), rows, len(W))


def newton_step(product, Q, W, row, ridge, curvature=None):
    """The best of some lengths of the Newton step, (n_rows, n_columns); None where there is no descent.

    Parameters
    ----------
    product : callable
        ``G S`` of a matrix S, G (n_rows, n_rows) the Gram matrix of the rows.
    Q : ndarray (n_rows, n_columns)
        Minus the gradient of the loss at W.
    W : ndarray (n_rows, n_columns)
        No row is zero.
    row, ridge : float
    curvature : ndarray (n_rows,) or None
        The diagonal of G, for a step by conjugate gradients; None: by factors.
    """
    norms = np.linalg.norm(W, axis=1, keepdims=True)
    U, D = W / norms, row / norms[:, 0]
    gradient = ridge * W + row * U - Q
    if curvature is None:
        S = _by_factors(product(np.eye(len(W))), U, D + ridge, D, gradient)
    else:
        S = _by_conjugate_gradients(product, U, D + ridge, D, gradient, curvature)
    if S is None:
        return None
    slope = float(np.vdot(gradient, S))
    bend = float(np.vdot(S, product(S))) + ridge * float(np.vdot(S, S))
    linear = slope - row * float(np.vdot(U, S))  # of the part that is quadratic
    changes = [
        t * linear + 0.5 * t**2 * bend + row * float(np.sum(np.linalg.norm(W + t * S, axis=1) - norms[:, 0]))
        for t in STEPS
    ]
    best = int(np.argmin(changes))
    return STEPS[best] * S if changes[best] < 0 else None


def _by_conjugate_gradients(product, U, own, D, gradient, curvature):
    """Minus the inverse Hessian times the gradient, nearly."""
    own, D = own[:, None], D[:, None]
    inverse = 1 / (curvature[:, None] + own)
    along = D / (1 - D * inverse)  # Sherman & Morrison: of a row alone, (1 / inverse) I - D u u'

    def hessian(S):
        return product(S) + own * S - D * U * np.sum(U * S, axis=1, keepdims=True)

    def precondition(R):
        return inverse * (R + along * inverse * U * np.sum(U * R, axis=1, keepdims=True))

    return conjugate_gradients(hessian, precondition, -gradient, REDUCTION, MAX_CG)[0]


def _by_factors(G, U, own, D, gradient):
    """Minus the inverse Hessian times the gradient, or None where a factor fails."""
    try:
        inverse = _inverse(G + np.diag(own))
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
