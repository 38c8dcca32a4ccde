"""Norms of nested groups on the CPU: Numba versions of `mtlreg.kernels.generic.groups`."""

import numpy as np
from numba import njit

from mtlreg.kernels.cpu.rows import row_norm, shrink_row

__all__ = ["group_norms", "shrink_groups"]


def group_norms(V, starts, members, weights):
    """``sum_k weights_k |V_j,group k|_2``; see `mtlreg.kernels.generic.groups.group_norms`."""
    norms = np.zeros(V.shape[0], dtype=V.dtype)
    _group_norms(np.require(V, requirements="CAWE"), *_plain(starts, members, weights), norms)
    return norms


def shrink_groups(V, starts, members, weights):
    """Prox of norms of nested groups; see `mtlreg.kernels.generic.groups.shrink_groups`."""
    U = np.array(V, order="C")
    _shrink_groups(U, *_plain(starts, members, weights))
    return U


def _plain(starts, members, weights):
    """The groups in the one type of array that kernels are compiled for."""
    integers = (np.ascontiguousarray(a, dtype=np.int64) for a in (starts, members))
    return *integers, np.ascontiguousarray(weights, dtype=np.float64)


@njit(cache=True)
def _group_norms(V, starts, members, weights, norms):
    held = np.empty(V.shape[1], V.dtype)
    for j in range(V.shape[0]):
        for k in range(weights.size):
            norms[j] += weights[k] * row_norm(_gather(V[j], starts, members, k, held), 2.0)


@njit(cache=True)
def _shrink_groups(U, starts, members, weights):
    held = np.empty(U.shape[1], U.dtype)
    for j in range(U.shape[0]):
        for k in range(weights.size):
            group = _gather(U[j], starts, members, k, held)
            shrink_row(group, 0.0, weights[k], 2.0, False)
            for i in range(group.size):
                U[j, members[starts[k] + i]] = group[i]


@njit(cache=True)
def _gather(v, starts, members, k, held):
    """The entries of group k, in the front of ``held``."""
    size = starts[k + 1] - starts[k]
    for i in range(size):
        held[i] = v[members[starts[k] + i]]
    return held[:size]
