"""Rows of a matrix that are not zero, and matrices with few of them."""

from array_api_compat import array_namespace

__all__ = ["active_rows", "spread_rows"]


def active_rows(W):
    """Indices of the rows of W (p, C) that are not zero, in order."""
    xp = array_namespace(W)
    (active,) = xp.nonzero(xp.any(W != 0, axis=1))
    return active


def spread_rows(x, rows, p):
    """The array of p rows that is x at ``rows``, sorted, and zero elsewhere; rows are the last axis but one.

    Parameters
    ----------
    x : array of shape (..., m, C)
    rows : integer array of shape (m,)
    p : int
    """
    xp = array_namespace(x)
    every = xp.arange(p)
    position = xp.clip(xp.searchsorted(rows, every), max=rows.shape[0] - 1)
    inside = xp.take(rows, position) == every
    return xp.where(inside[:, None], xp.take(x, position, axis=-2), xp.zeros_like(x[..., :1, :]))
