"""Calibrated problems in turns of coefficients and noise levels, against proximal steps on the whole."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import L1, L21, L1Linf, MeanRegularized, MultiTaskRegressor, TraceNorm
from mtlreg.solvers import _choose, concomitant

PENALTIES = [L1(), L21(), L21(alpha_ridge=0.3), L1Linf(), TraceNorm()]


def data(sizes=(20, 35, 60, 12), p=8, seed=0):
    """Tasks of unequal sizes and noise; a constant column and two equal ones."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((sum(sizes), p)) + 1.0
    X[:, 1], X[:, 3] = 2.0, X[:, 2]
    task = np.repeat(np.arange(len(sizes)), sizes)
    W = rng.standard_normal((len(sizes), p)) * (np.arange(p) < 4)
    noise = np.geomspace(0.1, 3.0, len(sizes))[task] * rng.standard_normal(len(X))
    return np.column_stack([X, task]), (X * W[task]).sum(axis=1) + noise


@pytest.mark.parametrize("share", [0.7, 0.1, 0.003])
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_same_as_proximal_steps(penalty, share):
    X, y = data()
    weights = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    settings = {"loss": "calibrated", "task_feature": -1, "tol": 1e-10, "max_iter": 200_000}
    model = MultiTaskRegressor(penalty, **settings)
    model.set_params(penalty=penalty.with_alpha(share * model.alpha_max(X, y, weights))).fit(X, y, weights)
    other = MultiTaskRegressor(model.penalty, **settings, solver="fista").fit(X, y, weights)
    assert model.converged_ and other.converged_
    assert_allclose(model.objective_, other.objective_, rtol=1e-9)
    assert_allclose(model.noise_scale_, other.noise_scale_, rtol=1e-3)
    again = MultiTaskRegressor(model.penalty, **settings, warm_start=True).fit(X, y, weights).fit(X, y, weights)
    assert again.n_iter_ < model.n_iter_ or model.n_iter_ == 0


def chosen(X, y, penalty, monkeypatch):
    """What was chosen for the fit's own problem."""
    seen = []

    def choose(solver, problem):
        seen.append(_choose_before(solver, problem))
        return seen[-1]

    _choose_before = _choose.choose
    monkeypatch.setattr(_choose, "choose", choose)
    MultiTaskRegressor(penalty, loss="calibrated", task_feature=-1).fit(X, y)
    monkeypatch.undo()
    return seen[0]


def test_where_it_is_used(monkeypatch):
    X, y = data()
    assert chosen(X, y, L21(0.1), monkeypatch) is concomitant.concomitant
    assert chosen(X, y, MeanRegularized(0.1), monkeypatch) is not concomitant.concomitant
    few, y_few = data(sizes=(9, 10, 6))  # fewer rows than features in one task, and too few in all for moments
    assert chosen(few, y_few, L21(0.1), monkeypatch) is not concomitant.concomitant
