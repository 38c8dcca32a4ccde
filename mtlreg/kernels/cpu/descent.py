"""Block coordinate descent over rows of W for a quadratic loss, dense or sparse, shared or task-stacked.

One sweep visits every row once: with g the correlation of the residual with feature j and L_j its curvature,

    W_j <- prox_{Omega_j / (L_j + ridge)} ((L_j W_j + g) / (L_j + ridge)).

Where W is a sum of parts, each under a norm of its own, all of them see the same feature: row j of all parts together
is found by taking turns with this formula, g less L_j times what the parts have moved by, which costs no pass over the
data.

The residual R is kept up to date as (n_rows, n_columns) for shared data, (n_rows, 1) where rows belong to one task.
Columns of the design are ``x_j - U K_j``; where that is not formed, the part of U is tracked apart in S, so that one
update touches only the stored entries of x_j.
"""

import numpy as np
from numba import njit

from mtlreg.kernels.cpu.rows import shrink_row

__all__ = ["sweep_blocks", "sweep_gram", "sweep_gram_blocks", "sweep_rows"]

MAX_TURNS = 10  # of the parts of W in one visit of a row
SETTLED = 0.01  # share of a visit's squared changes, below which the parts have settled


@njit(cache=True)
def _correlate(j, data, indices, indptr, starts, R, g):
    """g = x_j' R, by column."""
    lo, hi = indptr[j], indptr[j + 1]
    n_columns = g.shape[0]
    g[:] = 0
    if starts.shape[0]:
        c = 0
        for at in range(lo, hi):
            i = indices[at]
            while i >= starts[c + 1]:
                c += 1
            g[c] += data[at] * R[i, 0]
        return
    for at in range(lo, hi):
        i = indices[at] if indices.shape[0] else at - lo
        x = data[at]
        for c in range(n_columns):
            g[c] += x * R[i, c]


@njit(cache=True)
def _subtract(j, data, indices, indptr, starts, M, R, d):
    """R -= M * x_j d, by column."""
    lo, hi = indptr[j], indptr[j + 1]
    n_columns = d.shape[0]
    if starts.shape[0]:
        c = 0
        for at in range(lo, hi):
            i = indices[at]
            while i >= starts[c + 1]:
                c += 1
            R[i, 0] -= data[at] * d[c]
        return
    masked = M.shape[0] > 1
    for at in range(lo, hi):
        i = indices[at] if indices.shape[0] else at - lo
        x = data[at]
        m = i if masked else 0
        for c in range(n_columns):
            R[i, c] -= M[m, c] * x * d[c]


@njit(cache=True)
def solve_row(j, L, g, W, kernels, moved, v):
    """Minimise over row j of all parts, in place, for a correlation g; ``moved`` gets the change of their sum.

    Returns the sum of the squares of all changes.
    """
    n_parts, n_columns = W.shape[0], W.shape[2]
    moved[:] = 0
    changed = 0.0
    for _ in range(MAX_TURNS):
        turn = 0.0
        for k in range(n_parts):
            entry, row, q, ridge, positive = kernels[k]
            total = L + ridge
            for c in range(n_columns):
                v[c] = (L * (W[k, j, c] - moved[c]) + g[c]) / total
            shrink_row(v, entry / total, row / total, q, positive != 0)
            for c in range(n_columns):
                d = v[c] - W[k, j, c]
                W[k, j, c] = v[c]
                moved[c] += d
                turn += d * d
        changed += turn
        if n_parts == 1 or turn <= SETTLED * changed:
            break
    return changed


@njit(cache=True)
def centre_correlations(A, S, scale, g):
    """g, the correlations of a feature before centring and scaling, becomes those after."""
    for c in range(g.shape[0]):
        for a in range(S.shape[0]):
            g[c] += A[a, c] * S[a, c]
        g[c] *= scale[c]


@njit(cache=True)
def track_free(K, moved, S):
    """Keep account in S of what a change of a row's coefficients, scaled, moves along the free directions."""
    for a in range(S.shape[0]):
        for c in range(moved.shape[0]):
            S[a, c] += K[a, c] * moved[c]


@njit(cache=True)
def sweep_rows(data, indices, indptr, starts, M, R, S, K, A, scale, curvature, W, kernels):
    """Sweep once over the rows of W, updating W, R and S in place.

    Parameters
    ----------
    data, indices, indptr : the columns x_j one after another; ``indices`` empty: dense, every row stored.
    starts : rows of each task for stacked data, which is sparse here, else empty.
    M : label weights (n_rows, n_columns), or a row of ones.
    S, K, A : (k, n_columns), (p, k, n_columns), (p, k, n_columns): free directions that are not in the columns.
    scale : (p, n_columns) column scale. curvature : (p,) bounds L_j.
    W : (n_parts, p, n_columns), the coefficients are the sum of the parts.
    kernels : (n_parts, 5) float64, ``entry, row, q, ridge, positive`` of every part.

    Returns
    -------
    float
        The largest ``L_j |change of row j of all parts|^2``.
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
        _correlate(j, data, indices, indptr, starts, R, g)
        centre_correlations(A[j], S, scale[j], g)
        change = solve_row(j, L, g, W, kernels, moved, v)
        if change > 0:
            largest = max(largest, L * change)
            for c in range(n_columns):
                moved[c] *= scale[j, c]
            _subtract(j, data, indices, indptr, starts, M, R, moved)
            track_free(K[j], moved, S)
    return largest


@njit(cache=True)
def sweep_gram(G, curvature, Q, W, kernels):
    """Sweep once over the rows of W, updating W and the correlations Q (p, n_columns) = B - G W in place.

    ``G`` (p, p) is the Gram matrix; the other arguments and the result are those of `sweep_rows`.
    """
    return _sweep_gram(G, curvature, Q, W, kernels, 0)


@njit(cache=True)
def sweep_blocks(X, grams, curvature, R, W, kernels):
    """Sweep once over the rows of W, a block at a time, updating W and the residual R (n_rows, n_columns) in place.

    ``X`` (p, n_rows) holds the columns of the design, ``grams`` (n_blocks, size, size) the Gram matrices of so many of
    them each; the other arguments and the result are those of `sweep_rows`.
    """
    n_parts, p, n_columns = W.shape
    size = grams.shape[1]
    largest = 0.0
    before = np.empty((size, n_columns), dtype=W.dtype)
    for b in range(grams.shape[0]):
        start, stop = b * size, min((b + 1) * size, p)
        rows, moved = X[start:stop], before[: stop - start]
        moved[:] = 0
        for k in range(n_parts):
            moved -= W[k, start:stop]
        change = _sweep_gram(grams[b], curvature[start:stop], np.dot(rows, R), W, kernels, start)
        if change > 0:
            largest = max(largest, change)
            for k in range(n_parts):
                moved += W[k, start:stop]
            R -= np.dot(rows.T, moved)
    return largest


@njit(cache=True)
def sweep_gram_blocks(G, B, curvature, size, W, kernels):
    """Sweep once over the rows of W, ``size`` rows at a time, updating W in place.

    The correlations ``B - G W`` of a block are computed when it is visited; ``B`` (p, n_columns) is theirs at W = 0.
    The other arguments and the result are those of `sweep_rows`.
    """
    n_parts, p, n_columns = W.shape
    largest = 0.0
    total = W[0] if n_parts == 1 else W.sum(axis=0)
    for start in range(0, p, size):
        stop = min(start + size, p)
        rows = G[start:stop]
        Q = B[start:stop] - np.dot(rows, total)
        change = _sweep_gram(rows[:, start:stop].copy(), curvature[start:stop], Q, W, kernels, start)
        largest = max(largest, change)
        if n_parts > 1:
            total[start:stop] = W[:, start:stop].sum(axis=0)
    return largest


@njit(cache=True)
def _sweep_gram(G, curvature, Q, W, kernels, start):
    """`sweep_gram` over the rows of W from ``start`` on, as many as Q has."""
    n_columns = W.shape[2]
    v = np.empty(n_columns, dtype=W.dtype)
    moved = np.empty(n_columns, dtype=W.dtype)
    largest = 0.0
    for j in range(Q.shape[0]):
        L = curvature[j]
        if L <= 0:
            W[:, start + j, :] = 0
            continue
        change = solve_row(start + j, L, Q[j], W, kernels, moved, v)
        if change > 0:
            largest = max(largest, L * change)
            for i in range(Q.shape[0]):
                x = G[j, i]
                for c in range(n_columns):
                    Q[i, c] -= x * moved[c]
    return largest
