"""Kernels on the rows of W: the dual constraint, feasible scales and the largest strengths."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from test_kernels_rows import BACKENDS, EXPONENTS, SIGNS, dual, norms, random_rows, soft


@BACKENDS
@SIGNS
@pytest.mark.parametrize("q", EXPONENTS)
def test_violation(kernels, q, positive):
    V = random_rows()
    expected = np.maximum(norms(soft(V, 0.2, positive), dual(q)) - 0.7, 0)
    assert_allclose(kernels.row_violation(V, 0.2, 0.7, q, positive), expected, atol=1e-12)
    assert expected.any() and not expected.all()


@BACKENDS
@SIGNS
@pytest.mark.parametrize("q", EXPONENTS)
def test_violation_is_zero_exactly_where_the_prox_is(kernels, q, positive):
    V = random_rows()
    for entry, row in [(0.0, 0.8), (0.4, 0.5), (0.5, 0.0)]:
        zero = ~kernels.shrink_rows(V, entry, row, q, positive).any(axis=1)
        assert_array_equal(kernels.row_violation(V, entry, row, q, positive) == 0, zero)


@BACKENDS
@SIGNS
@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("entry, row", [(0.0, 0.6), (0.3, 0.6), (0.6, 0.0), (0.6, 1e-9), (1e-9, 0.6)])
def test_feasible_scale_is_the_largest(kernels, q, entry, row, positive):
    V = random_rows(60, seed=3)
    for rows in (V, V[20:23]):
        s = kernels.row_feasible_scale(rows, entry, row, q, positive)
        assert type(s) is float
        assert 0 < s < 1
        assert not kernels.row_violation(s * rows, entry, row, q, positive).any()
        assert kernels.row_violation((s + 1e-10) * rows, entry, row, q, positive).any()
        assert norms(soft((s - 1e-10) * rows, entry, positive), dual(q)).max() <= row
        assert norms(soft((s + 1e-10) * rows, entry, positive), dual(q)).max() > row


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_feasible_scale_at_its_ends(kernels, q):
    V = random_rows(60)
    for entry, row in [(math.inf, 0.0), (0.0, math.inf), (0.0, 1e9), (1e9, 0.0)]:
        assert kernels.row_feasible_scale(V, entry, row, q) == 1.0
    assert kernels.row_feasible_scale(V, 0.0, 0.0, q) == 0.0
    assert kernels.row_feasible_scale(0 * V, 0.0, 0.0, q) == 1.0
    assert kernels.row_feasible_scale(-np.abs(V), 0.0, 0.0, q, positive=True) == 1.0
    assert kernels.row_feasible_scale(V[:0], 0.0, 0.0, q) == 1.0


@BACKENDS
def test_feasible_scale_closed_forms(kernels):
    V = np.array([[3.0, -4.0], [1.0, 1.0]])
    assert kernels.row_feasible_scale(V, 0.0, 2.0, 2.0) == pytest.approx(2 / 5, rel=1e-15)
    assert kernels.row_feasible_scale(V, 0.0, 2.0, math.inf) == pytest.approx(2 / 7, rel=1e-15)
    assert kernels.row_feasible_scale(V, 1.0, 2.0, 1.0) == pytest.approx(3 / 4, rel=1e-15)
    # (4 s - 1) + (3 s - 1) = 2
    assert kernels.row_feasible_scale(V, 1.0, 2.0, math.inf) == pytest.approx(4 / 7, rel=1e-15)


@BACKENDS
@SIGNS
@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("ratio", [0.0, 1e-6, 0.3, 0.9, 1 - 1e-9, 1.0])
def test_alpha_max_is_exact_from_both_sides(kernels, q, ratio, positive):
    V = random_rows(60, seed=4)
    for rows in (V, V[20:22]):
        alpha = kernels.row_alpha_max(rows, ratio, q, positive)
        assert type(alpha) is float
        assert alpha > 0
        above, below = alpha * (1 + 1e-14), alpha * (1 - 1e-13)
        assert not kernels.shrink_rows(rows, above * ratio, above * (1 - ratio), q, positive).any()
        assert kernels.shrink_rows(rows, below * ratio, below * (1 - ratio), q, positive).any()
        # the same by NumPy's norms, whose roundings differ
        excess = [norms(soft(rows, a * ratio, positive), dual(q)).max() - a * (1 - ratio) for a in (above, below)]
        assert excess[0] <= 1e-13 * alpha
        assert excess[1] >= -1e-13 * alpha


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_alpha_max_closed_forms(kernels, q):
    V = random_rows(60)
    assert kernels.row_alpha_max(V, 0.0, q) == pytest.approx(norms(V, dual(q)).max(), rel=1e-13)
    assert kernels.row_alpha_max(V, 1.0, q) == np.abs(V).max()
    assert kernels.row_alpha_max(V[:, :1], 0.3, q) == pytest.approx(np.abs(V[:, 0]).max(), rel=1e-15)
    assert kernels.row_alpha_max(0 * V, 0.5, q) == 0.0
    assert kernels.row_alpha_max(-np.abs(V), 0.5, q, positive=True) == 0.0
    assert kernels.row_alpha_max(V[:0], 0.5, q) == 0.0
    for scale in (1e-200, 1e200):
        expected = scale * kernels.row_alpha_max(V, 0.4, q)
        assert kernels.row_alpha_max(scale * V, 0.4, q) == pytest.approx(expected, rel=1e-13)


@BACKENDS
@pytest.mark.parametrize("q", [1.2, 2.0, 3.0, math.inf])
def test_alpha_max_is_the_root_that_bisection_finds(kernels, q):
    V = random_rows(40, seed=5)
    roots = [
        brentq(
            lambda a, v=v: norms(soft(v, 0.4 * a)[None], dual(q))[0] - 0.6 * a,
            0,
            2 * np.abs(v).sum(),
            xtol=1e-300,
            rtol=1e-15,
        )
        for v in V[norms(V, 2) > 0]
    ]
    assert kernels.row_alpha_max(V, 0.4, q) == pytest.approx(max(roots), rel=1e-14)
