"""Checks of what a penalty says about the columns of W as a whole."""

from __future__ import annotations

import numpy as np

from mtlreg.testing._common import assert_close, require

__all__ = ["check_couplings"]


def check_couplings(penalty, shape, rng):
    """Check ``quadratic``, ``smooth_coupling`` and ``null_columns`` against ``value``."""
    n_columns, parts, name = shape[1], len(penalty.part_names), f"{penalty!r} at shape {shape}"
    x = rng.standard_normal((parts, *shape) if parts else shape)
    x = penalty.proximable.prox(x, 1e-8)
    W = x.sum(axis=0) if parts else x
    coupling = penalty.smooth_coupling(n_columns)
    if coupling is not None:
        value = penalty.proximable.value(x) + _energy(W, coupling, name)
        assert_close(penalty.value(x), value, 1e-12, f"{name}: value is not that of proximable and smooth_coupling")
    whole = penalty.quadratic(n_columns)
    if whole is not None:
        assert_close(penalty.value(x), _energy(W, whole, name), 1e-12, f"{name}: value is not that of quadratic")
    N = penalty.null_columns(n_columns)
    if N is not None:
        assert_close(N.T @ N, np.eye(N.shape[1]), 1e-12, f"{name}: null_columns is not orthonormal")
        shifted = penalty.value(x + rng.standard_normal((shape[0], N.shape[1])) @ N.T)
        assert_close(shifted, penalty.value(x), 1e-10, f"{name}: null_columns are penalised")


def _energy(W, M, name):
    assert_close(M, M.T, 1e-13, f"{name}: the coupling's matrix is not symmetric")
    values = np.linalg.eigvalsh(M)
    require(
        values[0] >= -1e-12 * max(values[-1], 1e-300), f"{name}: the coupling's matrix is not positive semidefinite"
    )
    return 0.5 * float(np.sum((W @ M) * W))
