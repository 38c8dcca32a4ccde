"""Total variation along a chain on a GPU, a thread for every row; on a graph the generic version does it."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.gpu import _launch

__all__ = ["fuse_chain"]

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
    height = max(1, min(p, LARGEST // (SCRATCH * size)))
    scratch = xp.empty((SCRATCH * size * height,), dtype=xp.float64)
    for start in range(0, p, height):
        rows = U[start : start + height, :]
        arguments = [rows, np.int64(rows.shape[0]), np.int32(size), limits, scratch]
        _launch.launch("fuse", "fuse_chains", U.dtype, rows.shape[0], arguments, lanes=1)
    return U
