"""Differences of entries inside a row, along a chain or on a graph, for any array-API library: the plain reference.

Every function takes ``V`` of shape (p, C) and works on all rows at once, in float64.
"""

import numpy as np
from array_api_compat import array_namespace

__all__ = ["fuse_chain", "fuse_graph"]

MAX_STEPS = 100_000


def fuse_chain(V, limits):
    """Prox of weighted total variation: ``argmin_U |U - V|_F^2 / 2 + sum_j sum_t limits_t |U_j,t+1 - U_jt|``.

    Johnson's dynamic programme. With the entries before t minimised out, the derivative of the objective by entry t is
    a rising piecewise linear function of slope 1 outside its knots; the edge to t + 1 clips it to ``[-limit, limit]``,
    and so restricts entry t to the interval between the two crossings, given entry t + 1. The derivative is kept as
    its values at the knots.

    Parameters
    ----------
    V : array of shape (p, C)
        Not modified.
    limits : array-like of shape (C - 1,)
        Weights >= 0; 0 cuts the chain, inf joins.

    Returns
    -------
    U : array of shape (p, C), dtype of V
        Entries that are fused are equal.

    References
    ----------
    Johnson (2013), A dynamic programming algorithm for the fused lasso and L0-segmentation, JCGS 22, section 2.
    """
    xp = array_namespace(V)
    n = V.shape[1]
    if n < 2 or V.shape[0] == 0:
        return xp.asarray(V, copy=True)
    A = xp.astype(V, xp.float64)
    top, bottom = xp.max(A, axis=1, keepdims=True), xp.min(A, axis=1, keepdims=True)
    cap = 0.5 * n * (top - bottom)  # no dual variable of a chain is larger
    knots = A[:, :1]
    slopes = xp.zeros_like(knots)  # the derivative at the knots
    low, high = [], []
    for t in range(n - 1):
        limit = xp.minimum(cap, xp.full_like(cap, float(limits[t])))
        lo, hi = _crossing(knots, slopes, -limit), _crossing(knots, slopes, limit)
        low.append(lo)
        high.append(hi)
        knots = xp.concat([lo, xp.clip(knots, lo, hi), hi], axis=1)
        slopes = xp.concat([-limit, xp.clip(slopes, -limit, limit), limit], axis=1) + knots - A[:, t + 1 : t + 2]
    U = [_crossing(knots, slopes, xp.zeros_like(cap))]
    for lo, hi in zip(reversed(low), reversed(high), strict=True):
        U.append(xp.minimum(xp.maximum(U[-1], lo), hi))
    return xp.astype(xp.concat(U[::-1], axis=1), V.dtype)


def _crossing(knots, values, level):
    """Where a rising piecewise linear function of slope 1 outside its knots is at ``level``; (p, 1)."""
    xp = array_namespace(knots)
    inf = xp.asarray(float("inf"), dtype=knots.dtype)
    below = values <= level
    x0, f0 = (xp.max(xp.where(below, a, -inf), axis=1, keepdims=True) for a in (knots, values))
    x1, f1 = (xp.min(xp.where(below, inf, a), axis=1, keepdims=True) for a in (knots, values))
    first, last = xp.isinf(x0), xp.isinf(x1)
    outside = first | last
    run, rise = xp.where(outside, 1.0, x1 - x0), xp.where(outside, 1.0, f1 - f0)
    return xp.where(first, x1, x0) + (level - xp.where(first, f1, f0)) * (run / rise)


def fuse_graph(V, edges, limits):
    """Prox of total variation on a graph: ``argmin_U |U - V|_F^2 / 2 + sum_j sum_e limits_e |U_js - U_jt|``.

    Accelerated projected gradient steps on the dual ``min |V_j - E' z|^2 / 2`` with ``|z_e| <= limits_e``, E the
    incidence matrix, restarted row by row where momentum points uphill, to rounding.

    Parameters
    ----------
    V : array of shape (p, C)
        Not modified.
    edges : int array of shape (m, 2)
        Pairs (s, t) of columns.
    limits : array-like of shape (m,)
        Weights >= 0.

    Returns
    -------
    U : array of shape (p, C), dtype of V

    References
    ----------
    Beck & Teboulle (2009), Fast gradient-based algorithms for constrained total variation image denoising and
    deblurring, IEEE Trans. Image Process. 18, section 4.
    """
    xp = array_namespace(V)
    m, n = len(edges), V.shape[1]
    if m == 0 or V.shape[0] == 0:
        return xp.asarray(V, copy=True)
    incidence = np.zeros((m, n))
    incidence[np.arange(m), edges[:, 0]] = 1.0
    incidence[np.arange(m), edges[:, 1]] = -1.0
    step = float(0.5 / np.abs(incidence).sum(axis=0).max())
    E = xp.asarray(incidence, dtype=xp.float64)
    A = xp.astype(V, xp.float64)
    middle = xp.mean(A, axis=1, keepdims=True)
    A = A - middle
    size = xp.max(xp.abs(A), axis=1, keepdims=True)
    bound = xp.minimum(xp.asarray(np.asarray(limits, dtype=float)[None, :]), n * size)
    z = xp.zeros_like(bound)
    ahead, momentum = z, xp.ones_like(size)
    for _ in range(MAX_STEPS):
        following = xp.clip(ahead + step * ((A - ahead @ E) @ E.T), -bound, bound)
        moved = following - z
        uphill = xp.sum((ahead - following) * moved, axis=1, keepdims=True) > 0
        momentum = xp.where(uphill, 1.0, momentum)
        larger = 0.5 * (1 + xp.sqrt(1 + 4 * momentum**2))
        if not bool(xp.any(xp.max(xp.abs(following - ahead), axis=1, keepdims=True) > 1e-15 * size)):
            break
        z, ahead = following, following + (momentum - 1) / larger * moved
        momentum = larger
    return xp.astype(A - following @ E + middle, V.dtype)
