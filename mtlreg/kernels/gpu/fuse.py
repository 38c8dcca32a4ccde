"""Total variation on a GPU: CUDA versions of `mtlreg.kernels.generic.fuse`, same names and results.

A thread works on a row of a chain, a warp on a row of a graph.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.generic import fuse as generic
from mtlreg.kernels.gpu import _launch

__all__ = ["fuse_chain", "fuse_graph"]

SCRATCH = 9  # numbers for each entry of a row
LARGEST = 2**27  # of them at a time, a GiB


def fuse_chain(V, limits):
    """Prox of weighted total variation; see `mtlreg.kernels.generic.fuse.fuse_chain`."""
    xp = array_namespace(V)
    U = xp.asarray(V, order="C", copy=True)
    p, size = U.shape
    if size < 2 or p == 0:
        return U
    limits = xp.asarray(np.asarray(limits, dtype=np.float64))

    def fuse(rows, count, scratch):
        _launch.launch("fuse", "fuse_chains", U.dtype, count, [rows, *_sizes(rows), limits, scratch], lanes=1)

    _in_pieces(U, SCRATCH * size, fuse)
    return U


def fuse_graph(V, edges, limits):
    """Prox of total variation on a graph; see `mtlreg.kernels.generic.fuse.fuse_graph`."""
    xp = array_namespace(V)
    U = xp.asarray(V, order="C", copy=True)
    m, (p, size) = len(edges), U.shape
    if m == 0 or p == 0:
        return U
    edges = np.asarray(edges, dtype=np.int64)
    ends, marks = edges.T.ravel(), np.concatenate([np.arange(1, m + 1), -np.arange(1, m + 1)])
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=size))])
    graph = [xp.asarray(a) for a in (starts, marks[np.argsort(ends, kind="stable")])]
    pairs, limits = xp.asarray(edges.ravel()), xp.asarray(np.asarray(limits, dtype=np.float64))
    step = np.float64(0.5 / np.diff(starts).max())

    def fuse(rows, count, scratch):
        numbers = [scratch, step, np.int32(generic.MAX_STEPS)]
        arguments = [rows, *_sizes(rows), pairs, np.int32(m), *graph, limits, *numbers]
        _launch.launch("fuse", "fuse_graphs", U.dtype, count, arguments)

    _in_pieces(U, 3 * m + size, fuse)
    return U


def _sizes(rows):
    return np.int64(rows.shape[0]), np.int32(rows.shape[1])


def _in_pieces(U, scratch_each, fuse):
    """Call ``fuse(rows, their number, scratch)`` for as many rows at a time as there is room for scratch."""
    xp, p = array_namespace(U), U.shape[0]
    height = max(1, min(p, LARGEST // scratch_each))
    scratch = xp.empty((scratch_each * height,), dtype=xp.float64)
    for start in range(0, p, height):
        rows = U[start : start + height, :]
        fuse(rows, rows.shape[0], scratch)
