"""Functions of singular values for any array-API library: the plain reference.

Every function takes W of shape (p, C) or singular values in descending order. Matrices that hold inf or NaN give NaN (a
norm: inf), where LAPACK would raise an error that says nothing of the cause.
"""

import math

from array_api_compat import array_namespace

__all__ = [
    "box_weights",
    "largest_singular_value",
    "shrink_singular_values",
    "singular_values",
    "squared_singular_values",
    "thin_svd",
]

# An eigenvalue of a Gram matrix is off by eps |W|_F^2, a singular value s from it by eps |W|_F^2 / (2 s). From a
# threshold of this share of |W|_F on, all that is kept is exact to 250 eps |W|_F.
GRAM_THRESHOLD = 0.002
# A singular value below this, relative to the largest, is a zero; it floors divisors.
TINY = 1e-100


def singular_values(W):
    """Singular values in descending order, (min(p, C),)."""
    xp = array_namespace(W)
    if not _finite(W):
        return xp.full((min(W.shape),), math.nan, dtype=W.dtype)
    if not bool(xp.any(W != 0)):  # where every fit begins
        return xp.zeros((min(W.shape),), dtype=W.dtype)
    return xp.linalg.svdvals(W)


def thin_svd(W):
    """``U (p, k), s (k,), Vh (k, C)`` with ``W = (U * s) @ Vh`` and ``k = min(p, C)``, s in descending order."""
    xp = array_namespace(W)
    if not _finite(W):
        k = min(W.shape)
        return tuple(xp.full(shape, math.nan, dtype=W.dtype) for shape in ((W.shape[0], k), (k,), (k, W.shape[1])))
    return tuple(xp.linalg.svd(W, full_matrices=False))


def squared_singular_values(W):
    """Squares of the singular values in descending order, float64, exact to rounding of the largest."""
    values, top = _gram_eigenvalues(W)
    return values * top * top


def largest_singular_value(W):
    """An upper bound of the spectral norm, exact but for a few units in the last place; inf where W is not finite."""
    values, top = _gram_eigenvalues(W)
    if not math.isfinite(top):
        return math.inf
    eps = float(array_namespace(W).finfo(W.dtype).eps)
    return top * math.sqrt(float(values[0])) * (1 + (8 + min(W.shape)) * eps)


def shrink_singular_values(W, threshold):
    """Prox of ``threshold`` times the trace norm: singular values s become ``max(s - threshold, 0)``.

    By the eigenvectors of the smaller Gram matrix, in float64, where `GRAM_THRESHOLD` lets nothing be lost by the
    squares; else by a singular value decomposition, which takes twice as long.

    Parameters
    ----------
    W : array of shape (p, C)
        Not modified.
    threshold : float >= 0

    Returns
    -------
    Z : array of shape (p, C), dtype of W
    """
    xp = array_namespace(W)
    if W.shape[0] < W.shape[1]:
        return _transpose(shrink_singular_values(_transpose(W), threshold))
    A, top, norm = _normalised(W)
    if math.isfinite(norm):
        level = min(float(threshold) / top, 2 * norm)  # no singular value is above the norm
        if level >= GRAM_THRESHOLD * norm > 0:
            values, vectors = xp.linalg.eigh(_transpose(A) @ A)
            first = int(xp.sum(xp.astype(values <= level * level, xp.int64)))
            values, vectors = values[first:], vectors[:, first:]
            factors = 1 - level / xp.sqrt(values)
            return xp.astype(top * ((A @ (vectors * factors)) @ _transpose(vectors)), W.dtype)
    U, s, Vh = thin_svd(W)
    return (U * xp.maximum(s - min(float(threshold), float(xp.finfo(W.dtype).max)), 0.0)) @ Vh


def box_weights(s, total, offset):
    """The weights m of the box norm: ``m_i = min(max(x s_i - offset, 0), 1)`` with x such that they sum to ``total``.

    They minimise ``sum_i s_i^2 / (offset + m_i)`` over 0 <= m <= 1 with ``sum m <= total``. The sum rises in x and is
    linear between the points where a weight leaves 0 or reaches 1, so that x is exact once its interval is found.

    Parameters
    ----------
    s : array (k,)
        >= 0, in descending order.
    total : float >= 0
        1 for every s > 0 if there are no more of them.
    offset : float > 0

    Returns
    -------
    m : array (k,), dtype of s
    """
    xp = array_namespace(s)
    top = float(s[0])
    if not top > 0:
        return xp.zeros_like(s) * s  # NaN stays NaN
    r = xp.astype(s, xp.float64) / top
    count = int(xp.sum(xp.astype(r > TINY, xp.int64)))
    if total >= count:
        return xp.astype(r > TINY, s.dtype)
    r, rest = r[:count], xp.zeros_like(r[count:])
    starts, ends = offset / r, (offset + 1) / r
    points = xp.sort(xp.concat([starts, ends]))
    low, high = 0, 2 * count - 1
    while high - low > 1:
        middle = (low + high) // 2
        full = float(xp.sum(_clip(points[middle] * r - offset))) <= total
        low, high = (middle, high) if full else (low, middle)
    growing = (starts <= points[low]) & (ends >= points[high])
    n_full = int(xp.sum(xp.astype(ends <= points[low], xp.int64)))
    n_growing = int(xp.sum(xp.astype(growing, xp.int64)))
    x = float(points[low])
    if n_growing:
        x = (total - n_full + offset * n_growing) / float(xp.sum(r[growing]))
    return xp.astype(xp.concat([_clip(x * r - offset), rest]), s.dtype)


def _clip(m):
    xp = array_namespace(m)
    return xp.minimum(xp.maximum(m, 0.0), 1.0)


def _finite(W):
    xp = array_namespace(W)
    return bool(xp.all(xp.isfinite(W)))


def _normalised(W):
    """``(A, top, norm)``: W / top in float64 with entries of at most 1, whose squares neither overflow nor vanish.

    The norm is A's, NaN where W is not finite.
    """
    xp = array_namespace(W)
    top = float(xp.max(xp.abs(W))) or 1.0
    if not math.isfinite(top):
        return W, top, math.nan
    A = xp.astype(W, xp.float64) / top
    return A, top, math.sqrt(float(xp.sum(A * A)))


def _gram_eigenvalues(W):
    """Eigenvalues >= 0 in descending order of the smaller Gram matrix of ``W / top``, float64, and ``top``."""
    xp = array_namespace(W)
    A, top, norm = _normalised(W if W.shape[0] >= W.shape[1] else _transpose(W))
    if not math.isfinite(norm):
        return xp.full((min(W.shape),), math.nan, dtype=xp.float64), top
    return xp.flip(xp.maximum(xp.linalg.eigvalsh(_transpose(A) @ A), 0.0)), top


def _transpose(A):
    return array_namespace(A).permute_dims(A, (1, 0))
