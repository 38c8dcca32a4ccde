"""Norms of nested groups on a GPU: CUDA versions of `mtlreg.kernels.generic.groups`; a warp works on a row."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.gpu import _launch

__all__ = ["group_norms", "shrink_groups"]


def group_norms(V, starts, members, weights):
    """``sum_k weights_k |V_j,group k|_2``; see `mtlreg.kernels.generic.groups.group_norms`."""
    xp = array_namespace(V)
    norms = xp.zeros((V.shape[0],), dtype=V.dtype)
    _over_rows("measure_groups", V.dtype, V.shape, [xp.asarray(V, order="C"), norms], xp, starts, members, weights)
    return norms


def shrink_groups(V, starts, members, weights):
    """Prox of that sum for nested groups; see `mtlreg.kernels.generic.groups.shrink_groups`."""
    xp = array_namespace(V)
    U = xp.asarray(V, order="C", copy=True)
    _over_rows("shrink_groups", V.dtype, V.shape, [U], xp, starts, members, weights)
    return U


def _over_rows(kernel, dtype, shape, arrays, xp, starts, members, weights):
    p, size = shape
    if p == 0 or size == 0 or len(weights) == 0:
        return
    starts, members = (xp.asarray(np.asarray(a, dtype=np.int64)) for a in (starts, members))
    groups = [starts, members, xp.asarray(np.asarray(weights, dtype=np.float64)), np.int32(len(weights))]
    _launch.launch("groups", kernel, dtype, p, [*arrays, np.int64(p), np.int32(size), *groups])
