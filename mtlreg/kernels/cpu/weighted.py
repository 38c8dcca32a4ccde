"""Block coordinate descent over rows of W for a quadratic loss whose labels have weights of their own, dense data.

What `mtlreg.kernels.cpu.descent.sweep_rows` does, with the residual of each column of W contiguous: the sums over the
rows of data then run in vector registers. Their terms are added in another order than written.
"""

import numpy as np
from numba import njit

from mtlreg.kernels.cpu.descent import centre_correlations, solve_row, track_free

__all__ = ["sweep_weighted"]

REORDERED = {"reassoc", "contract", "nsz"}  # what sums may do; infinities and NaN keep their meaning


@njit(cache=True, fastmath=REORDERED)
def _dot(x, r):
    s = x[0] * r[0]
    for i in range(1, x.shape[0]):
        s += x[i] * r[i]
    return s


@njit(cache=True, fastmath=REORDERED)
def _subtract(x, m, d, r):
    for i in range(x.shape[0]):
        r[i] -= m[i] * x[i] * d


@njit(cache=True)
def sweep_weighted(X, M, R, S, K, A, scale, curvature, W, kernels):
    """Sweep once over the rows of W, updating W, R and S in place.

    ``X`` (p, n_rows) holds the columns x_j, ``M`` and ``R`` (n_columns, n_rows) the weights and the weighted residual;
    the other arguments and the result are those of `mtlreg.kernels.cpu.descent.sweep_rows`.
    """
    _, p, n_columns = W.shape
    g = np.empty(n_columns, dtype=W.dtype)
    v = np.empty(n_columns, dtype=W.dtype)
    moved = np.empty(n_columns, dtype=W.dtype)
    largest = 0.0
    for j in range(p):
        L = curvature[j]
        if L <= 0:
            W[:, j, :] = 0
            continue
        for c in range(n_columns):
            g[c] = _dot(X[j], R[c])
        centre_correlations(A[j], S, scale[j], g)
        change = solve_row(j, L, g, W, kernels, moved, v)
        if change > 0:
            largest = max(largest, L * change)
            for c in range(n_columns):
                moved[c] *= scale[j, c]
                _subtract(X[j], M[c], moved[c], R[c])
            track_free(K[j], moved, S)
    return largest
