"""Functions of singular values on a GPU: its linear algebra does them, but for weights found by bisection."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels.cpu import spectral as cpu

__all__ = ["box_weights"]


def box_weights(s, total, offset):
    """Weights of the box norm; see `mtlreg.kernels.generic.spectral.box_weights`.

    On the host: there are few singular values, and a bisection would read a number in every step.
    """
    host = s.get() if hasattr(s, "get") else np.asarray(s)
    return array_namespace(s).asarray(cpu.box_weights(host, total, offset))
