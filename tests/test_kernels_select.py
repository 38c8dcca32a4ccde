"""Rows that are not zero, and matrices with few rows."""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mtlreg.kernels import for_array

ARRAYS = pytest.mark.parametrize("asarray", [np.asarray, array_api_strict.asarray], ids=["cpu", "generic"])


@ARRAYS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_active_rows(asarray, dtype, order):
    W = np.zeros((7, 3), dtype=dtype, order=order)
    W[2, 2], W[4, 0], W[5] = 1e-40, -1.0, np.nan
    W.flags.writeable = False
    assert_array_equal(np.asarray(for_array(asarray(W)).active_rows(asarray(W))), [2, 4, 5])
    assert for_array(asarray(W)).active_rows(asarray(0 * W[:2])).shape == (0,)


@ARRAYS
@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 3)])
def test_spread_rows(asarray, shape):
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    rows = np.array([1, 4])
    wide = np.asarray(for_array(asarray(x)).spread_rows(asarray(x), asarray(rows), 6))
    assert wide.shape == (*shape[:-2], 6, 3)
    assert_array_equal(wide[..., rows, :], x)
    assert not wide[..., [0, 2, 3, 5], :].any()
