"""Free directions: their exact minimum, and the steps FISTA takes instead."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg.designs import SharedDesign, StackedDesign
from mtlreg.free import FreeDirections
from mtlreg.losses import Huber, Logistic, Poisson, Softmax, Squared, SquaredHinge
from mtlreg.penalties import L21
from mtlreg.problem import Problem
from mtlreg.solvers import solve
from mtlreg.task_losses import Segment, TaskLosses

N, T = 60, 3
BOUNDED = [Squared(), Huber(0.5), Logistic(), SquaredHinge(), Softmax()]


def problem(loss, stacked=False, confident=1.0, n_features=6, seed=0):
    """Labels of rare classes, an intercept and a further free column; also predictors ``confident`` times as sure."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, n_features)) + 0.5
    U = np.stack([np.ones(N), X[:, 0] ** 2], axis=1)
    K = 3 if loss.kind == "multiclass" else 1
    if stacked:
        design = StackedDesign(X, [0, 15, 35, N], [K] * T, U)
        y, eta, n_labels = rng.standard_normal(N), np.zeros(N * K), N
    else:
        design = SharedDesign(X, T * K, U)
        y, eta, n_labels = rng.standard_normal((N, T)), np.zeros((N, T * K)), T
    if loss.kind == "multiclass":
        y = np.digitize(y, [0.5, 1.0]).astype(float)
        eta = confident * (y[..., None] == np.arange(K)).reshape(eta.shape) + rng.standard_normal(eta.shape)
    elif loss.kind == "binary":
        y = (y > 0.9).astype(float)
        eta = confident * (2 * y - 1) + rng.standard_normal(eta.shape)
    elif loss.kind == "count":
        y = rng.poisson(np.exp(y)).astype(float)
    weights = rng.uniform(0.5, 1.5, y.shape) / N
    losses = TaskLosses([Segment(loss, K, slice(0, T), slice(0, n_labels), slice(0, n_labels * K))])
    return Problem(design.residualise(losses.expand(weights)), losses, y, weights, L21(0.01)), eta


def by_name(loss):
    return loss.name


@pytest.mark.parametrize("stacked", [False, True], ids=["shared", "stacked"])
@pytest.mark.parametrize("loss", [*BOUNDED, Poisson()], ids=by_name)
def test_minimum(loss, stacked):
    prob, eta = problem(loss, stacked)
    free = prob.free
    Z, converged = free.solve(eta, free.zero)
    assert converged
    assert_allclose(free.gradient(prob.derivative(eta + free.predictor(Z))), 0, atol=1e-14)


@pytest.mark.parametrize("stacked", [False, True], ids=["shared", "stacked"])
@pytest.mark.parametrize("loss", BOUNDED, ids=by_name)
def test_a_step_falls_by_what_the_curvature_bound_promises(loss, stacked):
    prob, eta = problem(loss, stacked)
    free, rng = prob.free, np.random.default_rng(1)

    def value(Z):
        return float(np.sum(prob.weights * prob.losses.value(prob.y, eta + free.predictor(Z))))

    for size in (0.0, 0.3, 3.0):
        Z = size * rng.standard_normal(free.zero.shape)
        slope = free.gradient(prob.derivative(eta + free.predictor(Z)))
        step = free.step(slope)
        promised = -0.5 * float(np.sum(slope * step))
        assert promised > 0
        assert value(Z) - value(Z + step) >= promised * (1 - 1e-9)


@pytest.mark.parametrize("stacked", [False, True], ids=["shared", "stacked"])
@pytest.mark.parametrize("confident", [3.0, 10.0, 20.0])
@pytest.mark.parametrize("loss", [Logistic(), Softmax()], ids=by_name)
def test_few_newton_steps_against_confident_predictors(loss, confident, stacked, monkeypatch):
    """The derivative of a confident label has few digits; no step can bring the gradient below them."""
    prob, eta = problem(loss, stacked, confident)
    Z, _ = prob.free.solve(eta, prob.free.start)
    count, newton = [], FreeDirections._newton_step
    monkeypatch.setattr(FreeDirections, "_newton_step", lambda *args: count.append(0) or newton(*args))
    prob.free.solve(eta, Z + 1e-3 * np.random.default_rng(1).standard_normal(Z.shape))
    assert 1 <= len(count) <= 12


@pytest.mark.parametrize("stacked", [False, True], ids=["shared", "stacked"])
@pytest.mark.parametrize("loss", [Huber(0.5), Logistic(), SquaredHinge()], ids=by_name)
def test_fista_steps_to_the_minimum_of_newton(loss, stacked):
    prob, _ = problem(loss, stacked)
    prob = prob.with_alpha(0.1 * prob.alpha_max)
    steps, exact = (solve(prob, solver, tol=1e-9, max_iter=20_000) for solver in ("fista", "prox_newton"))
    assert steps.converged and exact.converged
    assert abs(steps.objective - exact.objective) <= 1e-9 * prob.null.value
    assert_allclose(steps.Z, exact.Z, atol=1e-3)
