"""Steps of accelerated gradient methods on a GPU: CUDA versions of `mtlreg.kernels.generic.steps`, same names."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.gpu import _launch

__all__ = ["accelerate", "descend", "extrapolate", "restart", "uphill"]


def accelerate(t):
    """Nesterov's sequence and the share of the last step; see `mtlreg.kernels.generic.steps.accelerate`."""
    xp, count = array_namespace(t), t.shape[0]
    following, beta = (xp.empty(t.shape, dtype=t.dtype) for _ in range(2))
    _launch.launch("steps", "accelerate", t.dtype, count, [t, following, beta, np.int64(count)], lanes=1)
    return following, beta


def restart(t, slope):
    """t, and 1 where a slope is > 0; see `mtlreg.kernels.generic.steps.restart`."""
    xp, count = array_namespace(t), t.shape[0]
    following = xp.empty(t.shape, dtype=t.dtype)
    slope = xp.asarray(slope, dtype=xp.float64)
    _launch.launch("steps", "restart", t.dtype, count, [t, slope, following, np.int64(count)], lanes=1)
    return following


def extrapolate(x, previous, beta):
    """``x + beta (x - previous)``; see `mtlreg.kernels.generic.steps.extrapolate`."""
    xp = array_namespace(x)
    numbers = [np.int64(x.size), np.int64(max(x.shape[-1] // beta.shape[0], 1)), np.int64(beta.shape[0])]
    return _entries("extrapolate", [x, previous, xp.asarray(beta, dtype=x.dtype)], numbers)


def descend(x, slope, length):
    """``x - length slope``; see `mtlreg.kernels.generic.steps.descend`."""
    return _entries("descend", [x, slope], [np.int64(x.size), np.float64(length)])


def uphill(ahead, x, previous, count):
    """``<ahead - x, x - previous>`` of every problem; see `mtlreg.kernels.generic.steps.uphill`."""
    xp = array_namespace(x)
    size = x.shape[-1] // count
    sums = xp.zeros((x.size // max(size, 1),), dtype=xp.float64)
    if x.size > 0:
        arrays = [xp.asarray(a, order="C") for a in (ahead, x, previous)]
        _launch.launch(
            "steps", "uphill", x.dtype, sums.shape[0], [*arrays, sums, np.int64(sums.shape[0]), np.int32(size)]
        )
    return xp.sum(xp.reshape(sums, (-1, count)), axis=0)


def _entries(kernel, arrays, numbers):
    """Run a kernel whose result is an array like the first one, a thread for every entry."""
    xp = array_namespace(arrays[0])
    arrays = [xp.asarray(a, order="C") for a in arrays]
    out = xp.empty(arrays[0].shape, dtype=arrays[0].dtype)
    if out.size > 0:
        _launch.launch("steps", kernel, out.dtype, out.size, [*arrays, out, *numbers], lanes=1)
    return out
