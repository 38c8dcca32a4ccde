"""Functions of singular values: against plain NumPy, in every backend."""

import array_api_strict
import numpy as np
import pytest
from cuda import CUDA
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq

from mtlreg.kernels.cpu import spectral as cpu
from mtlreg.kernels.generic import spectral as generic

BACKENDS = pytest.mark.parametrize("kernels", [generic, cpu], ids=["generic", "cpu"])
SHAPES = [(1, 1), (1, 5), (5, 1), (6, 6), (40, 7), (7, 40), (300, 60)]
EPS = np.finfo(float).eps


def matrix(s, shape, seed=0):
    """A matrix with given singular values, and its factors."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((shape[0], len(s))))[0]
    V = np.linalg.qr(rng.standard_normal((shape[1], len(s))))[0]
    return (U * s) @ V.T, U, V


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_singular_values(shape, scale):
    W = scale * np.random.default_rng(0).standard_normal(shape)
    s = np.linalg.svd(W, compute_uv=False)
    assert_allclose(generic.singular_values(W), s, rtol=1e-12)
    top = generic.largest_singular_value(W)
    assert s[0] <= top <= s[0] * (1 + 1e-13 + 2 * EPS * min(shape))
    if scale == 1:
        assert_allclose(generic.squared_singular_values(W), s**2, rtol=1e-11)
    U, values, Vh = generic.thin_svd(W)
    assert_allclose((U * values) @ Vh, W, rtol=1e-11, atol=1e-14 * scale)


def test_largest_singular_value_is_a_bound():
    """Never below the truth, here known to twice the precision."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        shape = rng.integers(1, 12, 2)
        W = rng.standard_normal(shape).astype(np.float32)
        W *= np.float32(10.0) ** rng.integers(-3, 3, (shape[0], 1)).astype(np.float32)
        assert generic.largest_singular_value(W) >= np.linalg.norm(W.astype(float), 2)
        k = min(shape)
        W = matrix(np.append(1.0, rng.uniform(1 - 1e-12, 1, k - 1)), shape, seed)[0]  # all nearly the largest
        exact = np.sqrt(np.linalg.eigvalsh(np.asarray(W.T.astype(np.longdouble) @ W, float)).max())
        assert generic.largest_singular_value(W) >= exact * (1 - 2 * EPS)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("share", [0.0, 1e-6, 0.01, 0.019, 0.021, 0.1, 0.5, 0.999, 1.0, 2.0, np.inf])
def test_shrink_singular_values(shape, share):
    k = min(shape)
    s = np.sort(10.0 ** np.random.default_rng(1).uniform(-8, 0, k))[::-1]
    W, U, V = matrix(s, shape)
    threshold = share * np.linalg.norm(W)
    exact = (U * np.maximum(s - threshold, 0)) @ V.T
    Z = generic.shrink_singular_values(W, threshold)
    assert_allclose(Z, exact, atol=100 * EPS * np.linalg.norm(W))
    assert np.all(np.linalg.svd(Z, compute_uv=False)[np.sum(s > threshold) :] <= 20 * EPS * s[0])  # the rank is exact
    assert Z.any() == (s[0] > threshold)


@pytest.mark.parametrize("share", [0.0, 1e-6, 1e-3, 0.01, 0.019, 0.0201, 0.05, 0.3])
@pytest.mark.parametrize("shape", [(400, 50), (100, 50), (50, 400)], ids=str)
def test_accuracy_lost_by_the_gram_matrix(shape, share):
    """Where the Gram matrix is used it loses nothing that counts, next to singular values at the threshold too."""
    s = np.sort(10.0 ** np.random.default_rng(2).uniform(-6, 0, 50))[::-1]
    level = share * np.linalg.norm(s)
    s[10:40] = level * (1 + np.linspace(-1e-3, 1e-3, 30))
    s = np.sort(s)[::-1]
    W, U, V = matrix(s, shape)
    exact = (U * np.maximum(s - level, 0)) @ V.T
    error = np.linalg.norm(generic.shrink_singular_values(W, level) - exact, 2) / s[0]
    assert error <= 60 * EPS
    scaled = generic.shrink_singular_values(1e180 * W, 1e180 * level) / 1e180  # squares would overflow
    assert np.linalg.norm(scaled - exact, 2) / s[0] <= 60 * EPS


def test_the_gram_matrix_would_lose_digits_below_its_threshold(monkeypatch):
    s = np.append(np.ones(5), np.full(20, 2e-7))
    W, U, V = matrix(s, (100, 25))
    exact = (U * np.maximum(s - 1e-7, 0)) @ V.T
    assert np.abs(generic.shrink_singular_values(W, 1e-7) - exact).max() <= 20 * EPS
    monkeypatch.setattr(generic, "GRAM_THRESHOLD", 1e-12)
    assert np.abs(generic.shrink_singular_values(W, 1e-7) - exact).max() >= 1e-11


def by_root(s, total, offset):
    """Box weights by a root finder."""
    if total >= np.sum(s > 0):
        return (s > 0).astype(float)

    def excess(log_x):
        return np.clip(np.exp(log_x) * s - offset, 0, 1).sum() - total

    low, high = np.log(offset / s.max()) - 1, np.log((offset + 1) / s[s > 0].min()) + 1
    return np.clip(np.exp(brentq(excess, low, high, xtol=1e-15, rtol=1e-15)) * s - offset, 0, 1)


SPECTRA = {
    "one": [2.0],
    "none": [0.0, 0.0],
    "ties": [1.0, 1.0, 1.0, 0.5, 0.5, 0.0],
    "steep": 10.0 ** -np.arange(0.0, 30, 2),
    "flat": np.linspace(3, 2.9, 9),
    "far apart": [1e200, 1e100, 1.0, 1e-250],
    "gap": [5.0, 4.0, 1e-9, 1e-10],
    "random": np.sort(np.random.default_rng(0).exponential(size=25))[::-1],
}


@pytest.mark.parametrize("kernels", [pytest.param(generic, id="generic"), pytest.param(cpu, id="cpu"), *CUDA])
@pytest.mark.parametrize("s", SPECTRA.values(), ids=SPECTRA)
@pytest.mark.parametrize("offset", [1e-8, 0.1, 1.0, 1e4])
def test_box_weights(kernels, s, offset):
    s = np.asarray(s, float)
    for total in (0, 1, 2, 3, 7, 100):
        m = kernels.box_weights(s, total, offset)
        assert ((m >= 0) & (m <= 1)).all()
        assert m.sum() == pytest.approx(min(total, np.sum(s > 1e-100 * s[0])), abs=1e-11 * max(1, offset))
        assert (np.diff(m) <= 0).all()
        if s[0] < 1e100 and s[0] > 0:
            exact = by_root(s, total, offset) if total else 0 * s
            cost, least = (np.sum(s**2 / (offset + weights)) for weights in (m, exact))
            assert cost <= least * (1 + 1e-12)


def test_backends_agree():
    for s in SPECTRA.values():
        s = np.asarray(s, float)
        for total in (0, 1, 2, 5, 30):
            for offset in (1e-3, 1.0, 50.0):
                reference = generic.box_weights(s, total, offset)
                assert_allclose(cpu.box_weights(s, total, offset), reference, atol=1e-12)
                strict = generic.box_weights(array_api_strict.asarray(s), total, offset)
                assert_allclose(np.asarray(strict), reference, atol=1e-15)
    single = SPECTRA["random"].astype(np.float32)
    for kernels in (generic, cpu):
        m = kernels.box_weights(single, 3, 0.5)
        assert m.dtype == np.float32
        assert_allclose(m, generic.box_weights(single.astype(float), 3, 0.5), atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (9, 2)], ids=str)
def test_numbers_that_are_not_finite_stay_visible(bad, shape):
    """LAPACK would raise, or not come back."""
    W = np.ones(shape)
    W[1, 0] = bad
    with np.errstate(invalid="ignore"):
        assert np.isnan(generic.shrink_singular_values(W, 0.1)).all()
        assert np.isnan(generic.shrink_singular_values(W, 10.0)).all()
    assert np.isnan(generic.singular_values(W)).all()
    assert np.isnan(generic.squared_singular_values(W)).all()
    assert all(np.isnan(a).all() for a in generic.thin_svd(W))
    assert generic.largest_singular_value(W) == np.inf
    for kernels in (generic, cpu):
        assert np.isnan(kernels.box_weights(np.full(3, np.nan), 2, 1.0)).all()


def test_zero_matrices():
    for shape in ((3, 2), (9, 2), (2, 9)):
        W = np.zeros(shape)
        assert generic.largest_singular_value(W) == 0
        for threshold in (0.0, 1.0):
            assert_array_equal(generic.shrink_singular_values(W, threshold), W)
