"""Weighted losses in CUDA: what the reference says, in double precision, for every label."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from cuda import CUDA
from numpy.testing import assert_allclose, assert_array_equal

from mtlreg import task_losses
from mtlreg.kernels import cpu, generic
from mtlreg.losses import Huber, Logistic, Poisson, Softmax, Squared, SquaredHinge
from mtlreg.task_losses import Segment, TaskLosses

LOSSES = [Squared(), Huber(), Huber(0.3), Logistic(), SquaredHinge(), Poisson(), Softmax()]
N_CLASSES = 3

on_cuda = pytest.mark.parametrize("kernels", CUDA)
of_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
of_losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}{getattr(loss, 'threshold', '')}")


def random_labels(loss, shape, dtype=np.float64, n_columns=N_CLASSES, seed=0):
    """Labels, predictors and weights, some of them zero."""
    rng = np.random.default_rng(seed)
    counts = {"binary": 2, "count": 4, "multiclass": n_columns}
    y = rng.integers(counts[loss.kind], size=shape) if loss.kind in counts else rng.standard_normal(shape)
    eta = 2 * rng.standard_normal((*shape, n_columns) if loss.kind == "multiclass" else shape)
    weights = rng.uniform(0, 2, shape) * (rng.uniform(size=shape) < 0.8)
    return tuple(np.asarray(a, dtype=dtype) for a in (y, eta, weights))


def in_double(*arrays):
    return tuple(a.astype(np.float64) for a in arrays)


def dual_variables(loss, y, eta):
    """Inside of the conjugate's domain, and on its edge for some labels."""
    v = loss.gradient(y, eta)
    v[::4] = 0.0
    return v


@on_cuda
@of_dtypes
@of_losses
@pytest.mark.parametrize("shape", [(0,), (1,), (33,), (1000,), (0, 3), (1, 1), (11, 3), (100, 7)], ids=str)
def test_as_the_reference(kernels, loss, dtype, shape):
    y, eta, weights = random_labels(loss, shape, dtype)
    v, rtol = dual_variables(loss, y, eta), 1e-12 if dtype == np.float64 else 2e-5
    kept = [a.copy() for a in (y, eta, weights)]
    for w in [weights, weights[:, :1]] if len(shape) == 2 else [weights]:
        u = kernels.loss_derivative(loss, y, eta, w)
        assert u.dtype == dtype and u.shape == eta.shape
        expected = generic.loss_derivative(loss, *in_double(y, eta, w))
        assert_allclose(u, expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(np.float64).eps)
        total = kernels.loss_sum(loss, y, eta, w)
        assert total.dtype == np.float64 and total.shape == ()
        assert_allclose(total, generic.loss_sum(loss, *in_double(y, eta, w)), rtol=1e-13)
        conjugate = kernels.conjugate_sum(loss, y, v, w)
        assert conjugate.dtype == np.float64 and conjugate.shape == () and math.isfinite(conjugate)
        assert_allclose(conjugate, generic.conjugate_sum(loss, y, v, w), rtol=rtol, atol=rtol * len(y))
    for a, b in zip((y, eta, weights), kept, strict=True):
        assert_array_equal(a, b)


@on_cuda
@of_dtypes
@pytest.mark.parametrize("n_columns", [1, 2, 40])
def test_numbers_of_classes(kernels, dtype, n_columns):
    y, eta, weights = random_labels(Softmax(), (70, 2), dtype, n_columns)
    u = kernels.loss_derivative(Softmax(), y, eta, weights)
    expected = generic.loss_derivative(Softmax(), *in_double(y, eta, weights))
    assert_allclose(u, expected, rtol=4 * np.finfo(dtype).eps, atol=1e-15)
    total = generic.loss_sum(Softmax(), *in_double(y, eta, weights))
    assert_allclose(kernels.loss_sum(Softmax(), y, eta, weights), total, rtol=1e-13, atol=1e-13)


@on_cuda
@of_dtypes
@of_losses
def test_far_from_the_data(kernels, loss, dtype):
    huge = 1e30 if dtype == np.float64 else 1e15  # whose square there is
    near = [0.0, 1e-8, 1.0, 30.0, 1e3, huge]
    ends = np.array([sign * x for x in near for sign in (-1, 1)], dtype=dtype)
    labels = np.array({"binary": [0, 1], "multiclass": range(N_CLASSES)}.get(loss.kind, [0, 2, 1e3]), dtype=dtype)
    y, eta = np.repeat(labels, len(ends)), np.tile(ends, len(labels))
    if loss.kind == "multiclass":
        eta = np.stack([eta, np.roll(eta, 1), np.zeros_like(eta)], axis=1)
    # exp is cut off where the dtype ends
    arrays, rtol = (in_double(y, eta), 1e-12) if loss.name != "poisson" else ((y, eta), 100 * np.finfo(dtype).eps)
    ones = np.ones_like(y)
    u = kernels.loss_derivative(loss, y, eta, ones)
    assert np.isfinite(u).all()
    assert_allclose(u, loss.gradient(*arrays), rtol=max(rtol, 2 * np.finfo(dtype).eps))
    for i, value in enumerate(loss.value(*arrays)):
        assert_allclose(kernels.loss_sum(loss, y[i : i + 1], eta[i : i + 1], ones[:1]), value, rtol=rtol)


@on_cuda
@of_dtypes
@of_losses
def test_nan_stays_where_it_is(kernels, loss, dtype):
    y, eta, weights = random_labels(loss, (40,), dtype)
    clean = kernels.loss_derivative(loss, y, eta, weights + 1)
    for at in (0, 35):
        spoilt = eta.copy()
        spoilt[at, ...].flat[-1] = np.nan
        u = kernels.loss_derivative(loss, y, spoilt, weights + 1)
        assert np.isnan(u[at]).all()
        assert_array_equal(np.delete(u, at, axis=0), np.delete(clean, at, axis=0))
        assert np.isnan(kernels.loss_sum(loss, y, spoilt, weights + 1))


@on_cuda
@of_dtypes
@of_losses
def test_edges_of_the_conjugate(kernels, loss, dtype):
    if loss.kind == "multiclass":
        edges = np.array([[0, 0, 0], [-1, 1, 0], [1, -1, 0], [-0.5, 0.5, 0], [-1, 0.5, 0], [-1.5, 1, 0.5], [-1, 1, 1]])
    else:
        edges = np.array([sign * x for x in (0, 1e-9, 0.3, 0.5, 1, 1.35, 1.351, 2, 1e9) for sign in (-1, 1)])
    edges = edges.astype(dtype)
    inside, outside, tolerance = 0, 0, 1e-12 if dtype == np.float64 else 1e-6
    for label in {"binary": [0, 1], "multiclass": [0, 1]}.get(loss.kind, [0, 2]):
        for v in edges:
            y, v = np.array([label], dtype=dtype), v[None]
            expected = loss.conjugate(y, v)
            found = kernels.conjugate_sum(loss, y, v, np.ones_like(y))
            assert np.isinf(found) == np.isinf(expected[0])
            assert_allclose(found, expected[0], rtol=tolerance, atol=tolerance)
            inside, outside = inside + np.isfinite(expected[0]), outside + np.isinf(expected[0])
            with np.errstate(invalid="ignore"):  # no weight at all, and an infinite term
                nothing = generic.conjugate_sum(loss, y, v, 0 * y)
            assert_array_equal(kernels.conjugate_sum(loss, y, v, 0 * y), nothing)
    assert inside and (outside or loss.name == "squared")


@on_cuda
@of_losses
def test_slices(kernels, loss):
    y, eta, weights = random_labels(loss, (50, 6))
    arguments = y[::2, 1:4], eta[::2, 1:4], weights[::2, 1:4]
    copies = [np.ascontiguousarray(a) for a in arguments]
    for layout in (arguments, [np.asfortranarray(a) for a in arguments]):
        for name in ("loss_derivative", "loss_sum"):
            assert_array_equal(getattr(kernels, name)(loss, *layout), getattr(kernels, name)(loss, *copies))


@on_cuda
def test_sums_keep_their_digits_and_their_order(kernels):
    y, eta, weights = random_labels(Squared(), (3001,), np.float32)
    eta[7] = 1e12
    total = kernels.loss_sum(Squared(), y, eta, weights + 1)
    exact = math.fsum(
        generic.loss_sum(Squared(), *in_double(*(a[i : i + 1] for a in (y, eta, weights + 1)))) for i in range(3001)
    )
    assert_allclose(total, exact, rtol=1e-15)
    assert all(kernels.loss_sum(Squared(), y, eta, weights + 1) == total for _ in range(3))


@dataclass(eq=False, repr=False)
class Tilted(Squared):
    """A user's own loss, whose name is that of another."""

    tilt: float = 2.0

    def value(self, y, eta):
        return super().value(y, eta) + self.tilt * eta

    def gradient(self, y, eta):
        return super().gradient(y, eta) + self.tilt

    def conjugate(self, y, v):
        return super().conjugate(y, v - self.tilt)


@on_cuda
def test_a_loss_of_ones_own(kernels):
    arguments = random_labels(Squared(), (9, 2))
    for name in ("loss_derivative", "loss_sum", "conjugate_sum"):
        found = getattr(kernels, name)(Tilted(), *arguments)
        assert_allclose(found, getattr(generic, name)(Tilted(), *arguments), rtol=1e-13)
        assert not np.allclose(found, getattr(kernels, name)(Squared(), *arguments))


def mixed_tasks(flat):
    """Two tasks of squared loss, one of softmax, one of Poisson: side by side, or one after the other."""
    losses, segments, labels, columns = [Squared(), Softmax(), Poisson()], [], 0, 0
    arrays = []
    for t, (loss, width) in enumerate(zip(losses, [2, 1, 1], strict=True)):
        y, eta, weights = random_labels(loss, (20, width), seed=t)
        if flat:
            y, weights, eta = y.ravel(), weights.ravel(), eta.ravel()
        else:
            eta = eta.reshape(20, -1)
        n, m = y.shape[-1], eta.shape[-1]
        whole = slice(labels, labels + n), slice(columns, columns + m)
        segments.append(Segment(loss, m // n, slice(t, t + 1), *whole))
        arrays.append((y, eta, weights))
        labels, columns = labels + n, columns + m
    return TaskLosses(segments), *(np.concatenate(parts, axis=-1) for parts in zip(*arrays, strict=True))


@pytest.mark.parametrize("kernels", [pytest.param(cpu, id="cpu"), *CUDA])
@pytest.mark.parametrize("flat", [False, True], ids=["shared rows", "own rows"])
def test_tasks_of_several_losses(kernels, flat, monkeypatch):
    monkeypatch.setattr(task_losses, "for_array", lambda a: kernels)
    losses, y, eta, weights = mixed_tasks(flat)
    u = losses.derivative(y, eta, weights)
    assert u.shape == eta.shape
    assert_allclose(u, losses.expand(weights) * losses.gradient(y, eta), rtol=1e-13, atol=1e-15)
    total, conjugate = losses.total(y, eta, weights), losses.conjugate_total(y, losses.gradient(y, eta), weights)
    assert type(total) is type(conjugate) is float
    assert_allclose(total, np.sum(weights * losses.value(y, eta)), rtol=1e-13)
    assert_allclose(conjugate, np.sum(weights * losses.conjugate(y, losses.gradient(y, eta))), rtol=1e-13)
    # Fenchel and Young with equality: the derivative is the dual variable of its predictor
    paired = np.sum(losses.expand(weights) * losses.gradient(y, eta) * eta)
    assert_allclose(total + conjugate, paired, rtol=1e-12)


@of_dtypes
@of_losses
def test_on_numpy_to_the_last_bit(loss, dtype):
    y, eta, weights = random_labels(loss, (100, 7), dtype)
    n_columns, labels = eta[0, 0].size, slice(0, 7)
    losses = TaskLosses([Segment(loss, n_columns, labels, labels, slice(0, 7 * n_columns))])
    eta = eta.reshape(100, -1)
    v = losses.gradient(y, eta)
    for w in (weights, weights[:, :1]) if n_columns == 1 else (weights,):
        assert_array_equal(losses.derivative(y, eta, w), losses.expand(w) * v)
        assert losses.total(y, eta, w) == np.sum(w * losses.value(y, eta), dtype=np.float64)
        assert losses.conjugate_total(y, v, w) == np.sum(w * losses.conjugate(y, v), dtype=np.float64)
