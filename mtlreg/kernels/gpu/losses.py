"""Weighted losses on a GPU: CUDA versions of `mtlreg.kernels.generic.losses`, each of one pass over the labels.

For the losses of `mtlreg.losses` themselves, in float64 whatever the dtype of the arrays; any other is the reference's.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.generic import losses as generic
from mtlreg.kernels.gpu import _launch
from mtlreg.losses import Huber, Logistic, Poisson, Softmax, Squared, SquaredHinge, exp_limit

__all__ = ["conjugate_sum", "loss_derivative", "loss_sum"]

FUSED = (Squared, Huber, Logistic, SquaredHinge, Poisson, Softmax)
CHUNK = 256  # labels that a warp sums up


def loss_derivative(loss, y, eta, weights):
    """``weights_i dl / d eta``; see `mtlreg.kernels.generic.losses.loss_derivative`."""
    if type(loss) not in FUSED:
        return generic.loss_derivative(loss, y, eta, weights)
    u = array_namespace(eta).empty(eta.shape, dtype=eta.dtype)
    _over_labels("derivative", loss, y, eta, weights, [u], y.size, lanes=1)
    return u


def loss_sum(loss, y, eta, weights):
    """``sum_i weights_i l(y_i, eta_i)``; see `mtlreg.kernels.generic.losses.loss_sum`."""
    if type(loss) not in FUSED:
        return generic.loss_sum(loss, y, eta, weights)
    return _summed("value_sum", loss, y, eta, weights)


def conjugate_sum(loss, y, v, weights):
    """``sum_i weights_i l*(y_i, v_i)``; see `mtlreg.kernels.generic.losses.conjugate_sum`."""
    if type(loss) not in FUSED:
        return generic.conjugate_sum(loss, y, v, weights)
    return _summed("conjugate_sum", loss, y, v, weights)


def _summed(kernel, loss, y, eta, weights):
    """The sum over chunks of what the kernel sums in each: always in the same order."""
    xp = array_namespace(eta)
    sums = xp.empty((-(-y.size // CHUNK),), dtype=xp.float64)
    _over_labels(kernel, loss, y, eta, weights, [sums, np.int32(CHUNK)], len(sums), lanes=_launch.LANES)
    return xp.sum(sums)


def _over_labels(kernel, loss, y, eta, weights, more, n_rows, lanes):
    if y.size == 0:
        return
    xp, n_columns = array_namespace(eta), eta.size // y.size
    arrays = [xp.asarray(a, dtype=eta.dtype, order="C") for a in (y, eta, weights)]
    sizes = [np.int64(y.size), np.int64(y.size // weights.size), np.int32(n_columns)]
    numbers = [getattr(loss, "threshold", 0.0), exp_limit(xp, eta), float(xp.finfo(eta.dtype).eps)]
    arguments = [*arrays, *sizes, *map(np.float64, numbers), *more]
    _launch.launch("losses", f"{loss.name}_{kernel}", eta.dtype, n_rows, arguments, lanes=lanes)
