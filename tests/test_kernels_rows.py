"""Row-wise mixed norms: norms and the prox, in every backend."""

import math

import array_api_strict
import cvxpy as cp
import numpy as np
import pytest
from cuda import CUDA
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq

from mtlreg.kernels.cpu import rows as cpu
from mtlreg.kernels.generic import rows as generic

HOST = [pytest.param(generic, id="generic"), pytest.param(cpu, id="cpu")]
BACKENDS = pytest.mark.parametrize("kernels", [*HOST, *CUDA])
EXPONENTS = [1.0, 1.0001, 1.01, 1.2, 1.5, 1.9999, 2.0, 2.0001, 2.5, 3.0, 7.0, 50.0, 1e3, math.inf]
NORM_LIKE = [1.0, 1.2, 1.5, 2.0, 3.0, 7.0, math.inf]
SIGNS = pytest.mark.parametrize("positive", [False, True], ids=["free", "positive"])


def random_rows(p=200, n_columns=6, seed=0):
    """Rows over several orders of magnitude within and between rows, with zeros, ties and a zero row."""
    rng = np.random.default_rng(seed)
    V = rng.standard_normal((p, n_columns)) * 10.0 ** rng.uniform(-3, 1, (p, n_columns))
    V[: p // 4] = rng.standard_normal((p // 4, n_columns))
    V[::5, 1] = 0.0
    V[1::5, -1] = -V[1::5, 0]
    V[7] = 0.0
    V[8] = 1.5
    V[9, 1:] = 0.0
    return V


def norms(V, q):
    """q-norms of the rows by NumPy, of numbers in [0, 1] because its powers overflow."""
    top = np.abs(V).max(axis=1)
    return top * np.linalg.norm(V / np.where(top > 0, top, 1)[:, None], ord=q, axis=1)


def omega(V, entry, row, q):
    return entry * norms(V, 1) + row * norms(V, q)


def dual(q):
    return generic.dual_exponent(q)


def soft(V, entry, positive=False):
    return np.maximum((V if positive else np.abs(V)) - entry, 0.0)


def project_simplex_ball(v, radius):
    """Projection on the l1 ball by bisection on the threshold."""
    if np.abs(v).sum() <= radius:
        return v
    level = brentq(lambda t: np.maximum(np.abs(v) - t, 0).sum() - radius, 0, np.abs(v).max(), xtol=1e-15)
    return np.sign(v) * np.maximum(np.abs(v) - level, 0)


# --- norms and conjugate exponents -----------------------------------------------------------------


@pytest.mark.parametrize("q", EXPONENTS)
def test_dual_exponent(q):
    conjugate = generic.dual_exponent(q)
    assert 1 / q + 1 / conjugate == pytest.approx(1, abs=1e-15)
    assert generic.dual_exponent(conjugate) == pytest.approx(q, rel=1e-9)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_row_norms(kernels, q):
    V = random_rows()
    assert_allclose(kernels.row_norms(V, q), norms(V, q), rtol=1e-13)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_row_norms_neither_overflow_nor_underflow(kernels, q, scale):
    V = scale * np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    # subnormal numbers have fewer digits
    assert_allclose(kernels.row_norms(V, q) / scale, norms(V / scale, q), rtol=1e-12)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_norm_of_a_row_that_is_not_finite(kernels, q):
    V = np.array([[math.inf, 1.0], [math.nan, 1.0], [1.0, math.nan], [1.0, 0.0]])
    assert_array_equal(kernels.row_norms(V, q), [math.inf, math.nan, math.nan, 1.0])


@pytest.mark.parametrize("q", EXPONENTS)
def test_single_row_kernels_are_the_row_kernels(q):
    V = random_rows(40)
    # sums of many rows may be added in another order than those of one
    assert_allclose([cpu.row_norm(v, q) for v in V], cpu.row_norms(V, q), rtol=8 * np.finfo(float).eps)
    for v, expected in zip(V.copy(), cpu.shrink_rows(V, 0.1, 0.4, q), strict=True):
        cpu.shrink_row(v, 0.1, 0.4, q, False)
        assert_array_equal(v, expected)


# --- the prox --------------------------------------------------------------------------------------


@BACKENDS
@SIGNS
@pytest.mark.parametrize("q", NORM_LIKE)
def test_prox_agrees_with_a_convex_solver(kernels, q, positive):
    rng = np.random.default_rng(1)
    V = np.vstack([rng.standard_normal((3, 4)), [[1.0, 1.0, -1.0, 0.0]]])
    entry, row = 0.1, 0.7
    U = cp.Variable(V.shape)
    penalty = entry * cp.sum(cp.abs(U)) + row * sum(cp.pnorm(U[j], q) for j in range(4))
    problem = cp.Problem(cp.Minimize(cp.sum_squares(U - V) / 2 + penalty), [U >= 0] if positive else [])
    problem.solve(cp.CLARABEL)
    ours = kernels.shrink_rows(V, entry, row, q, positive)
    objective = ((ours - V) ** 2).sum() / 2 + omega(ours, entry, row, q).sum()
    # not worse than the solver; and, by strong convexity, as near as its accuracy allows
    assert objective <= problem.value + 1e-9
    assert_allclose(ours, U.value, atol=2e-4)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("row", [1e-6, 0.3, 1.0, 4.0])
def test_certificate_of_the_prox(kernels, q, row):
    """V - U is a subgradient at U: in the dual ball, and aligned with U."""
    V = random_rows()
    for entry in (0.0, 0.2):
        U = kernels.shrink_rows(V, entry, row, q)
        G = V - U
        size = norms(V, math.inf)
        assert np.all(norms(soft(G, entry), dual(q)) <= row + 1e-14 * size)
        assert_allclose((G * U).sum(axis=1), omega(U, entry, row, q), rtol=1e-13, atol=1e-14 * (size**2).max())
        assert np.all(U * V >= 0)


@BACKENDS
@pytest.mark.parametrize("q", [q for q in EXPONENTS if 1 < q < math.inf])
@pytest.mark.parametrize("n_columns", [2, 20, 500])
def test_first_order_condition(kernels, q, n_columns):
    """|v| = u + row (u / ||u||_q)^(q-1), for weights from negligible to just below zeroing ones."""
    V = np.abs(random_rows(60, n_columns, seed=2))[10:]
    V /= norms(V, math.inf)[:, None]
    for share in (1e-8, 0.1, 0.9, 1 - 1e-3, 1 - 1e-9):
        row = share * norms(V, dual(q)).min()
        U = kernels.shrink_rows(V, 0.0, row, q)
        size = norms(U, q)[:, None]
        assert np.all(size > 0)
        subnormal = U < 1e-305  # has lost digits, or is zero: then the entry must be one that can be so small
        residual = U + row * (U / size) ** (q - 1) - V
        assert_allclose(residual[~subnormal], 0, atol=1e-12)
        assert np.all((row * (1e-305 / size) ** (q - 1) + 1e-15 - V)[subnormal] > 0)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_zero_exactly_from_the_dual_norm_on(kernels, q):
    V = random_rows(30)
    for v in V[norms(V, 2) > 0]:
        size = norms(v[None], dual(q))[0]
        assert not kernels.shrink_rows(v[None], 0.0, size * (1 + 1e-12), q).any()
        assert kernels.shrink_rows(v[None], 0.0, size * (1 - 1e-9), q).any()


@BACKENDS
def test_maximum_norm_is_the_residual_of_the_l1_projection(kernels):
    V = random_rows(60)
    for row in (0.01, 0.5, 3.0):
        projections = np.array([project_simplex_ball(v, row) for v in V])
        assert_allclose(kernels.shrink_rows(V, 0.0, row, math.inf), V - projections, atol=1e-13)


@BACKENDS
def test_closed_forms(kernels):
    V = np.array([[3.0, -4.0], [0.3, 0.4]])
    assert_allclose(kernels.shrink_rows(V, 0.0, 1.0, 2.0), [[2.4, -3.2], [0.0, 0.0]], rtol=1e-15)
    assert_allclose(kernels.shrink_rows(V, 0.5, 0.5, 1.0), [[2.0, -3.0], [0.0, 0.0]], rtol=1e-15)
    assert_allclose(kernels.shrink_rows(V, 0.0, 2.0, math.inf), [[2.5, -2.5], [0.0, 0.0]], rtol=1e-15)
    # u + (u / (2 u^q)^(1/q))^(q-1) = v for two equal entries: u = v - 2^(1/q - 1)
    for q in (1.2, 3.0, 10.0):
        assert_allclose(
            kernels.shrink_rows(np.array([[2.0, -2.0]]), 0.0, 1.0, q),
            (2 - 2 ** (1 / q - 1)) * np.array([[1.0, -1.0]]),
            rtol=1e-15,
        )


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_entry_weight_is_a_soft_threshold_first(kernels, q):
    V = random_rows()
    first = np.sign(V) * soft(V, 0.3)
    assert_allclose(kernels.shrink_rows(V, 0.3, 0.5, q), kernels.shrink_rows(first, 0.0, 0.5, q), atol=1e-14)
    assert_array_equal(kernels.shrink_rows(V, 0.3, 0.0, q), first)
    assert_array_equal(kernels.shrink_rows(V, 0.0, 0.0, q), V)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_positive_is_the_prox_of_the_positive_part(kernels, q):
    V = random_rows()
    expected = kernels.shrink_rows(np.maximum(V, 0), 0.1, 0.5, q)
    assert_array_equal(kernels.shrink_rows(V, 0.1, 0.5, q, positive=True), expected)
    assert not kernels.shrink_rows(-np.abs(V), 0.0, 0.0, q, positive=True).any()


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_on_one_column_every_norm_is_the_absolute_value(kernels, q):
    V = random_rows()[:, :1]
    expected = np.sign(V) * soft(V, 0.3 + 0.4)
    assert_array_equal(kernels.shrink_rows(V, 0.3, 0.4, q), expected)
    assert_allclose(kernels.row_violation(V, 0.3, 0.4, q), soft(V, 0.7)[:, 0], atol=1e-15)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_prox_is_homogeneous_at_extremes(kernels, q, scale):
    V = random_rows(50)
    expected = kernels.shrink_rows(V, 0.1, 0.5, q)
    scaled = kernels.shrink_rows(scale * V, scale * 0.1, scale * 0.5, q) / scale
    assert_allclose(scaled, expected, atol=1e-13)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_weights_far_from_the_data(kernels, q):
    V = random_rows(50)
    for dtype in (np.float64, np.float32):
        data = V.astype(dtype)
        for entry, row in [
            (math.inf, 0.0),
            (0.0, math.inf),
            (1e300, 1.0),
            (1.0, 1e300),
            (math.inf, math.inf),
        ]:
            assert not kernels.shrink_rows(data, entry, row, q).any()
            assert not kernels.row_violation(data, entry, row, q).any()
        assert_allclose(kernels.shrink_rows(data, 0.0, 1e-300, q), data, rtol=4 * np.finfo(dtype).eps)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_entries_of_one_row_far_apart(kernels, q):
    for v in ([1.0, 1e-200, 1e-320, -1e-8], [1e200, 1.0, -1e-200, 0.0], [5e-324, 2.0, 0.0, 1.0]):
        V = np.array([v])
        top = np.abs(V).max()
        U = kernels.shrink_rows(V, 0.0, top / 2, q)
        assert np.all(np.sign(U) * V >= 0) and np.all(np.abs(U) <= np.abs(V)) and np.all(np.isfinite(U))
        U, G = U / top, (V - U) / top
        assert norms(G, dual(q)) <= 0.5 + 1e-15
        assert_allclose((G * U).sum(axis=1), omega(U, 0.0, 0.5, q), rtol=1e-14)


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_rows_do_not_mix(kernels, q):
    V = random_rows(40)
    together = kernels.shrink_rows(V, 0.1, 0.5, q)
    alone = np.vstack([kernels.shrink_rows(v[None], 0.1, 0.5, q) for v in V])
    assert_allclose(together, alone, atol=1e-14)
    assert kernels.shrink_rows(V[:0], 0.1, 0.5, q).shape == (0, V.shape[1])


@BACKENDS
@pytest.mark.parametrize("q", EXPONENTS)
def test_nan_is_not_hidden(kernels, q):
    V = np.array([[1.0, math.nan], [3.0, 4.0]])
    U = kernels.shrink_rows(V, 0.1, 0.2, q)
    assert np.isnan(U[0, 1])
    assert_allclose(U[1], kernels.shrink_rows(V[1:], 0.1, 0.2, q)[0], rtol=1e-15)


# --- backends, dtypes, layouts ---------------------------------------------------------------------


def results(kernels, V, q, positive):
    """Everything a backend computes, as NumPy arrays and floats."""
    arrays = [
        kernels.row_norms(V, q),
        kernels.shrink_rows(V, 0.0, 0.7, q, positive),
        kernels.shrink_rows(V, 0.2, 0.5, q, positive),
        kernels.shrink_rows(V, 0.2, 0.0, q, positive),
        kernels.row_violation(V, 0.2, 0.5, q, positive),
    ]
    numbers = [
        kernels.row_feasible_scale(V, 0.0, 0.5, q, positive),
        kernels.row_feasible_scale(V, 0.2, 0.5, q, positive),
        kernels.row_alpha_max(V, 0.0, q, positive),
        kernels.row_alpha_max(V, 0.4, q, positive),
    ]
    return [*arrays, *numbers]


@SIGNS
@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("q", EXPONENTS)
def test_backends_agree(q, dtype, rtol, positive):
    V = random_rows(80).astype(dtype)
    strict = array_api_strict.asarray(V)
    rows = zip(
        results(generic, V, q, positive),
        results(generic, strict, q, positive),
        results(cpu, V, q, positive),
        strict=True,
    )
    for reference, same, fast in rows:
        if isinstance(reference, float):
            assert type(same) is type(fast) is float
            assert same == pytest.approx(reference, rel=rtol)
            assert fast == pytest.approx(reference, rel=rtol)
        else:
            assert reference.dtype == fast.dtype == np.dtype(dtype)
            assert same.dtype == strict.dtype
            assert_allclose(np.asarray(same), reference, rtol=rtol, atol=rtol)
            assert_allclose(fast, reference, rtol=rtol, atol=rtol)


@BACKENDS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("q", [1.0, 1.5, 2.0, 3.0, math.inf])
def test_input_is_untouched_and_layout_does_not_matter(kernels, q, dtype):
    V = random_rows(30).astype(dtype)
    readonly = V.copy()
    readonly.setflags(write=False)
    padded = np.zeros((60, 12), dtype)
    padded[::2, ::2] = V
    # reductions over another layout may add in another order
    rtol = 20 * np.finfo(dtype).eps
    for same in (readonly, np.asfortranarray(V), padded[::2, ::2]):
        kept = same.copy()
        for found, expected in zip(results(kernels, same, q, False), results(kernels, V, q, False), strict=True):
            assert_allclose(found, expected, rtol=rtol, atol=rtol * 10)
        assert_array_equal(same, kept)


def test_few_specialisations():
    """One compiled version per dtype: layout, access and the types of the scalars make no further ones."""
    for dtype in (np.float64, np.float32):
        V = random_rows(10).astype(dtype)
        frozen = V.copy()
        frozen.setflags(write=False)
        for same in (V, frozen, np.asfortranarray(V), V[::2], V[:, :1]):
            for number in (2, 2.0, np.float32(2), np.float64(2)):
                results(cpu, same, number, np.bool_(True))
    for kernel in (cpu._norms, cpu._shrink, cpu._alpha_max):
        assert len(kernel.signatures) == 2


@BACKENDS
def test_numpy_scalars_do_not_change_the_dtype(kernels):
    V = random_rows(10).astype(np.float32)
    entry, row = np.float64(0.1), np.float64(0.5)
    for q in (1.0, 1.5, 2.0, 3.0, math.inf):
        assert kernels.row_norms(V, np.float64(q)).dtype == np.float32
        assert kernels.row_violation(V, entry, row, np.float64(q)).dtype == np.float32
        U = kernels.shrink_rows(V, entry, row, np.float64(q))
        assert U.dtype == np.float32
        assert_array_equal(U, kernels.shrink_rows(V, 0.1, 0.5, q))
        assert type(kernels.row_alpha_max(V, entry, np.float64(q))) is float
        assert type(kernels.row_feasible_scale(V, entry, row, np.float64(q))) is float
