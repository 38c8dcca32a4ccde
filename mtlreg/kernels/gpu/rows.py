"""Row-wise mixed norms on a GPU: CUDA versions of `mtlreg.kernels.generic.rows`, same names and results.

A warp works on a row, in float64 whatever the dtype of the array.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.generic import rows as generic
from mtlreg.kernels.gpu import _launch

__all__ = ["row_alpha_max", "row_feasible_scale", "row_norms", "row_strengths", "row_violation", "shrink_rows"]


def row_norms(V, q):
    """Norms of the rows, ``||V_j||_q``; see `mtlreg.kernels.generic.rows.row_norms`."""
    return _measured(V, 0.0, q, False)


def shrink_rows(V, entry, row, q, positive=False):
    """Prox of ``entry ||V_j||_1 + row ||V_j||_q``; see `mtlreg.kernels.generic.rows.shrink_rows`."""
    xp = array_namespace(V)
    V = xp.asarray(V, order="C")
    U = xp.empty(V.shape, dtype=V.dtype)
    _over_rows("shrink_rows", V, U, [np.float64(entry), np.float64(row), np.float64(q), np.int32(positive)])
    return U


def row_violation(V, entry, row, q, positive=False):
    """Excess ``max(0, ||soft(V_j, entry)||_{q*} - row)``; see `mtlreg.kernels.generic.rows.row_violation`."""
    norms = _measured(V, entry, generic.dual_exponent(float(q)), positive)
    return array_namespace(V).maximum(norms - min(float(row), float(np.finfo(V.dtype).max)), 0.0)


def row_feasible_scale(V, entry, row, q, positive=False):
    """Largest feasible scale in [0, 1]; see `mtlreg.kernels.generic.rows.row_feasible_scale`."""
    return generic.feasible_scale(V, entry, row, q, positive, row_violation, row_alpha_max)


def row_alpha_max(V, entry_ratio, q, positive=False):
    """Smallest feasible strength; see `mtlreg.kernels.generic.rows.row_alpha_max`."""
    return float(array_namespace(V).max(row_strengths(V, entry_ratio, q, positive))) if V.shape[0] else 0.0


def row_strengths(V, entry_ratio, q, positive=False):
    """Smallest feasible strength of each row; see `mtlreg.kernels.generic.rows.row_strengths`."""
    xp = array_namespace(V)
    V, alphas = xp.asarray(V, order="C"), xp.empty((V.shape[0],), dtype=xp.float64)
    dual = generic.dual_exponent(float(q))
    _over_rows("row_strengths", V, alphas, [np.float64(entry_ratio), np.float64(dual), np.int32(positive)])
    return alphas


def _measured(V, entry, q, positive):
    """Norms of the rows after a soft threshold."""
    xp = array_namespace(V)
    V, norms = xp.asarray(V, order="C"), xp.empty((V.shape[0],), dtype=V.dtype)
    entry = min(float(entry), float(np.finfo(V.dtype).max))
    _over_rows("measure_rows", V, norms, [np.float64(entry), np.float64(q), np.int32(positive)])
    return norms


def _over_rows(kernel, V, out, numbers):
    p, size = V.shape
    if p > 0 and size > 0:
        _launch.launch("rows", kernel, V.dtype, p, [V, out, np.int64(p), np.int32(size), *numbers])
    elif p > 0:
        out[...] = 0.0
