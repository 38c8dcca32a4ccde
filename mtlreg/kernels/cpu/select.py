"""Rows of a matrix that are not zero: NumPy and Numba versions of `mtlreg.kernels.generic.select`.

They touch no more memory than they must: for a large matrix with few rows, fresh memory costs more than arithmetic.
"""

import numpy as np
from numba import njit

__all__ = ["active_rows", "spread_rows"]


def active_rows(W):
    """Indices of the rows that are not zero; see `mtlreg.kernels.generic.select.active_rows`."""
    return _active_rows(np.require(W, requirements="CAWE"))  # one compiled version for every layout


def spread_rows(x, rows, p):
    """x at some of p rows; see `mtlreg.kernels.generic.select.spread_rows`."""
    wide = np.zeros((*x.shape[:-2], p, x.shape[-1]), dtype=x.dtype)
    wide[..., rows, :] = x
    return wide


@njit(cache=True)
def _active_rows(W):
    found = np.empty(W.shape[0], np.intp)
    n = 0
    for j in range(W.shape[0]):
        for k in range(W.shape[1]):
            if W[j, k] != 0:
                found[n] = j
                n += 1
                break
    return found[:n].copy()
