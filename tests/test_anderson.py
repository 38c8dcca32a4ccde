"""Anderson's extrapolation."""

import numpy as np
import pytest

from mtlreg.solvers.anderson import Extrapolation


def contraction(rng, n):
    """x -> A x + b with its fixed point."""
    A = rng.standard_normal((n, n))
    A *= 0.9 / np.linalg.norm(A, 2)
    b = rng.standard_normal(n)
    return lambda x: A @ x + b, np.linalg.solve(np.eye(n) - A, b)


def test_an_affine_iteration_ends_after_as_many_steps_as_it_has_dimensions():
    follow, fixed = contraction(np.random.default_rng(0), 4)
    x, extrapolation = np.zeros(4), Extrapolation(6)
    for _ in range(5):
        after = follow(x)
        extrapolation.add(after - x, after)
        x = after
    np.testing.assert_allclose(extrapolation.point(), fixed, rtol=1e-5)


def test_steps_in_memory_weigh_as_least_squares_says():
    rng = np.random.default_rng(1)
    steps, points = rng.standard_normal((2, 7, 3, 5))
    extrapolation = Extrapolation(4)
    for step, point in zip(steps, points, strict=True):
        extrapolation.add(step, point)
    kept = steps[-4:].reshape(4, -1)
    normal = np.block([[kept @ kept.T, np.ones((4, 1))], [np.ones((1, 4)), np.zeros((1, 1))]])
    weights = np.linalg.solve(normal, [0, 0, 0, 0, 1])[:4]
    np.testing.assert_allclose(extrapolation.point(), np.tensordot(weights, points[-4:], 1), rtol=1e-6)


@pytest.mark.parametrize("steps", [[1.0], [1.0, 1.0, 1.0], [1e300, -1e300]])
def test_nothing_to_extrapolate(steps):
    extrapolation = Extrapolation(5)
    with np.errstate(over="ignore"):
        for step in steps:
            extrapolation.add(np.full(3, step), np.zeros(3))
    assert extrapolation.point() is None


def test_clear_forgets_and_the_type_is_that_of_the_points():
    extrapolation = Extrapolation(5)
    for k in range(3):
        extrapolation.add(np.full(2, 100.0 + k**2), np.zeros(2))
    extrapolation.clear()
    for k in range(3):
        extrapolation.add(np.array([1 / (k + 1), k], np.float32), np.full(2, k, np.float32))
    assert extrapolation.point().dtype == np.float32
    assert extrapolation.count == 2
