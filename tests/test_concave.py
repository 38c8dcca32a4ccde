"""Penalties that are not convex: stationary, never worse than the convex start, and what theory says of them."""

import copy
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import Reference
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from test_certificates import DESIGNS, LOSSES, data, make

from mtlreg import (
    L1,
    L21,
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    CappedL1,
    Chain,
    FusedSqrt,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SqrtL1Fused,
    TotalVariation,
)

INF = float("inf")
TOL = 1e-10
ORDER = [2, 0, 1]

PENALTIES = {
    "mcp": BlockMCP(),
    "mcp 1.5": BlockMCP(gamma=1.5),
    "scad": BlockSCAD(),
    "capped": CappedL1(theta=0.8),
    "log": BlockLog(epsilon=0.3),
    "power": BlockPower(),
    "power .7, inf": BlockPower(exponent=0.7, q=INF),
    "multi-level": BlockPower(q=1.0),
    "fused root": FusedSqrt(order=ORDER),
    "fused root .2": FusedSqrt(fused_ratio=0.2, order=ORDER),
    "root and fused": SqrtL1Fused(alpha_fused=0.02, order=ORDER),
}


def norm_of(penalty):
    """The convex start."""
    if isinstance(penalty, FusedSqrt):
        ratio = penalty.fused_ratio
        return Chain([TotalVariation(ratio, penalty.order), L1(1 - ratio)], alpha=penalty.alpha)
    if isinstance(penalty, SqrtL1Fused):
        return Chain([TotalVariation(penalty.alpha_fused, penalty.order), L1(penalty.alpha)])
    return L1Lq(penalty.alpha, q=getattr(penalty, "q", 2.0))


def strongest(penalty, model, X, y, w):
    return model.set_params(penalty=norm_of(penalty)).alpha_max(X, y, w)


def tangent_of(penalty, f, slopes):
    """The majorant as parameters: rows that are free or held at zero by feature weights, others in the penalty."""
    inside = (slopes > 0) & np.isfinite(slopes)
    weights = np.where((f > 0) & ~inside, slopes, f)
    return {"penalty": penalty.majorant(np.where(inside, slopes, 1.0)), "feature_weights": weights}


# -- the fit is stationary, by another solver -----------------------------------------------------------------------


def noisy(loss, y):
    """Labels of classes half of which are shuffled, so that no few features separate them."""
    classes = np.isin(loss, ["logistic", "squared_hinge", "softmax"]) * np.ones(y.shape[1:], dtype=bool)
    rng = np.random.default_rng(1)
    some = (rng.random(y.shape) < 0.5) & classes & ~np.isnan(y)
    return np.where(some, rng.integers(0, 3 if loss == "softmax" else 2, y.shape), y)


def check(penalty, loss, design, strength=0.3):
    layout, parameters = DESIGNS[design]
    X, y, w = data(loss, **layout)
    y = y if y.ndim == 1 and isinstance(loss, list) else noisy(loss, y)
    model = make(penalty, loss, tol=TOL, max_iter=100_000, **parameters)
    penalty = penalty.with_alpha(strength * strongest(penalty, model, X, y, w))
    start = copy.copy(model).set_params(penalty=norm_of(penalty)).fit(X, y, w)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.set_params(penalty=penalty).fit(X, y, w)
    scale = model.history_["objective"][0]
    assert model.objective_ <= Reference(model, X, y, w).of(start) + TOL * scale
    if caught and "run to infinity" in str(caught[0].message):
        return
    assert model.converged_ and model.stationarity_ <= TOL * scale and np.isnan(model.dual_gap_)
    reference = Reference(model, X, y, w)
    assert reference.of(model) == pytest.approx(model.objective_, rel=1e-12)
    f = reference.f
    W = (model.coef_ * reference.std * np.where(np.isinf(f), 0, f)).T
    bound = penalty.bind(model.columns_)
    tangent = copy.copy(model).set_params(**tangent_of(bound, f, bound.slopes(W)))
    other = Reference(tangent, X, y, w)
    for theirs, ours in zip(other.tasks, reference.tasks, strict=True):
        theirs.floor = ours.floor
    held = np.isinf(other.f)
    here = other.value([np.where(held, 0, model.coef_)], np.atleast_1d(model.intercept_))
    assert not model.coef_[:, held].any()
    assert here <= other.optimum() + model.stationarity_ + 1e-13 * scale, "the residual is below the truth"


def pairs():
    for i, penalty in enumerate(PENALTIES):
        for j, design in enumerate(DESIGNS):
            loss = list(LOSSES)[(i + 2 * j) % len(LOSSES)]
            yield pytest.param(penalty, loss, design, id=f"{penalty}-{loss}-{design}")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("penalty", "loss", "design"), list(pairs()))
def test_stationary(penalty, loss, design):
    check(PENALTIES[penalty], LOSSES[loss], design)


@pytest.mark.parametrize("design", ["dense", "missing, balanced", "features", "stacked, weights", "stacked, features"])
@pytest.mark.parametrize("penalty", ["mcp", "capped", "multi-level", "fused root"])
def test_stationary_calibrated(penalty, design):
    check(PENALTIES[penalty], "calibrated", design, strength=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.5, 0.1, 0.03])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_stationary_everywhere(penalty, loss, strength):
    for design in DESIGNS:
        check(PENALTIES[penalty], LOSSES[loss], design, strength)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("penalty", PENALTIES)
def test_never_worse_than_the_convex_start(penalty, seed):
    penalty, rng = PENALTIES[penalty], np.random.default_rng(seed)
    X = rng.standard_normal((25, 40)) + 0.5
    Y = X[:, :4] @ rng.standard_normal((4, 3)) + rng.standard_normal((25, 3))
    model = MultiTaskRegressor(penalty, tol=TOL)
    top = strongest(penalty, model, X, Y, None)
    for share in (0.9, 0.5, 0.1, 0.02):
        penalty = penalty.with_alpha(share * top)
        model = MultiTaskRegressor(penalty, tol=TOL).fit(X, Y)
        start = MultiTaskRegressor(norm_of(penalty), tol=TOL).fit(X, Y)
        reference, scale = Reference(model, X, Y), model.history_["objective"][0]
        assert model.converged_ and model.stationarity_ <= TOL * scale
        assert model.objective_ <= reference.of(start) + 1e-13 * scale
        assert model.objective_ <= scale * (1 + 1e-13), "W = 0 is better"
        falls = np.diff(model.history_["objective"][1:])
        assert (falls <= TOL * scale).all(), "a stage ends above the one before"


# -- what theory says -----------------------------------------------------------------------------------------------


def separated(seed=0, n=80, p=20, loss=None):
    """Data with large rows and none that are small."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1
    W = np.zeros((p, 3))
    W[:4] = rng.choice([-1.0, 1.0], (4, 3)) * rng.uniform(2, 4, (4, 3))
    return X, X @ W + 0.3 * rng.standard_normal((n, 3)) + 1


@pytest.mark.parametrize(
    "penalty", [BlockMCP(0.3), BlockSCAD(0.3), CappedL1(0.3, theta=1.5)], ids=lambda p: type(p).__name__
)
@pytest.mark.parametrize("layout", ["shared", "missing", "stacked", "csr", "standardize", "per task", "float32"])
def test_large_rows_are_least_squares(penalty, layout):
    X, Y = separated()
    if layout == "missing":
        Y[np.random.default_rng(1).random(Y.shape) < 0.2] = np.nan
    settings = {"standardize": {"standardize": True, "per task": "per_task"}.get(layout, False), "tol": TOL}
    if layout == "stacked":
        model = MultiTaskRegressor(penalty, task_feature=-1, **settings)
        rows = np.concatenate([np.c_[X, np.full(len(X), t)] for t in range(3)])
        model.fit(rows, Y.T.ravel())
    else:
        container = {"csr": sparse.csr_array, "float32": lambda a: a.astype(np.float32)}.get(layout, np.asarray)
        model = MultiTaskRegressor(penalty, **settings).fit(container(X), Y)
    assert_array_equal(np.flatnonzero(model.coef_.any(axis=0)), range(4))
    for t in range(3):
        seen = ~np.isnan(Y[:, t])
        A = np.column_stack([np.ones(seen.sum()), X[seen, :4]])
        oracle = np.linalg.lstsq(A, Y[seen, t], rcond=None)[0]
        close = {"rtol": 1e-4} if layout == "float32" else {"atol": 1e-8}
        assert_allclose(np.r_[model.intercept_[t], model.coef_[t, :4]], oracle, **close)


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
@pytest.mark.parametrize(
    "penalty", [BlockMCP(gamma=INF), BlockSCAD(gamma=INF), CappedL1(theta=INF)], ids=lambda p: type(p).__name__
)
def test_the_norm_is_a_limit(penalty, loss):
    X, y, _ = data(loss)
    model = make(norm_of(penalty), loss, tol=TOL)
    penalty = penalty.with_alpha(0.2 * strongest(penalty, model, X, y, None))
    norm = make(L1(penalty.alpha) if isinstance(penalty, CappedL1) else L21(penalty.alpha), loss, tol=TOL).fit(X, y)
    model = make(penalty, loss, tol=TOL).fit(X, y)
    assert model.objective_ == pytest.approx(norm.objective_, abs=TOL * norm.history_["objective"][0])
    assert_allclose(model.coef_, norm.coef_, atol=1e-4)


def test_orthonormal_design_has_closed_forms():
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((50, 12)))[0] * 50**0.5
    Y = X @ (rng.standard_normal((12, 3)) * rng.uniform(0, 2, (12, 1))) + 0.1 * rng.standard_normal((50, 3))
    Z = X.T @ Y / 50
    size = np.linalg.norm(Z, axis=1)
    alpha, gamma = 0.5, 3.0
    model = MultiTaskRegressor(BlockMCP(alpha, gamma), tol=1e-14, fit_intercept=False).fit(X, Y)
    firm = np.where(size <= gamma * alpha, np.maximum(size - alpha, 0) / (1 - 1 / gamma), size)
    assert_allclose(model.coef_.T, Z * (firm / size)[:, None], atol=1e-6)


def test_slopes_are_those_of_feature_weights():
    """Each row pays at coef_ what a norm with feature_weights of the slopes would make it pay."""
    X, Y = separated(n=30)
    model = MultiTaskRegressor(BlockLog(0.4, 0.5), tol=1e-12).fit(X, Y)
    slopes = model.penalty.slopes(model.coef_.T)
    again = MultiTaskRegressor(L21(0.4), feature_weights=slopes, tol=1e-12).fit(X, Y)
    assert_allclose(again.coef_, model.coef_, atol=1e-5)


def test_an_order_decides_which_tasks_are_neighbours():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 12))
    W = np.zeros((12, 4))
    W[:3] = [[2, -2, 2, -2]]  # constant along the order 0, 2, 1, 3 but for one jump
    Y = X @ W + 0.5 * rng.standard_normal((30, 4))
    for penalty in (FusedSqrt(1.5, 0.95, order=[0, 2, 1, 3]), SqrtL1Fused(0.2, 0.4, order=[0, 2, 1, 3])):
        coef = MultiTaskRegressor(penalty).fit(X, Y).coef_[:, :3]
        assert_array_equal(coef[0], coef[2])
        assert_array_equal(coef[1], coef[3])
        assert (coef[0] > 0).all() and (coef[1] < 0).all()
    one, other = FusedSqrt(0.3, 0.0), BlockPower(0.3, q=1.0)
    assert_allclose(MultiTaskRegressor(one).fit(X, Y).coef_, MultiTaskRegressor(other).fit(X, Y).coef_, atol=1e-3)
    one = SqrtL1Fused(0.3, alpha_fused=0.0)
    assert_allclose(MultiTaskRegressor(one).fit(X, Y).coef_, MultiTaskRegressor(other).fit(X, Y).coef_, atol=1e-3)


# -- degenerate data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    ("n", "p", "n_tasks"), [(20, 1, 3), (20, 6, 1), (1, 3, 2), (6, 20, 3), (2, 1, 1)], ids=lambda k: str(k)
)
def test_shapes(penalty, n, p, n_tasks):
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((n, p)), 5 * rng.standard_normal((n, n_tasks))
    for alpha in (1e3, 0.3, 0.03):
        model = MultiTaskRegressor(PENALTIES[penalty].with_alpha(alpha), tol=1e-8, max_iter=100_000).fit(X, Y)
        scale = max(model.history_["objective"][0], 1e-300)
        assert model.converged_ and model.stationarity_ <= max(1e-8 * scale, 1e-20)
        assert np.isfinite(model.coef_).all()
        if alpha == 1e3:
            assert not model.coef_.any()


@pytest.mark.parametrize("penalty", [BlockMCP(), BlockSCAD(), CappedL1(theta=0.01)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_more_free_rows_than_samples(penalty, stacked, intercept):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((8, 30)), 100 * rng.standard_normal((8, 2))
    if stacked:
        X, Y = np.c_[np.tile(X, (2, 1)), np.repeat([0, 1], 8)], Y.T.ravel()
    task_feature = -1 if stacked else None
    penalty = penalty.with_alpha(1e-3)
    model = MultiTaskRegressor(penalty, tol=1e-8, fit_intercept=intercept, task_feature=task_feature).fit(X, Y)
    assert model.converged_
    assert (penalty.slopes(model.coef_.T) == 0).any()
    assert model.objective_ < 1e-3 * model.history_["objective"][0]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_nothing_to_fit(penalty):
    X = np.random.default_rng(0).standard_normal((20, 5))
    for Y in (np.zeros((20, 2)), np.ones((20, 2))):
        model = MultiTaskRegressor(PENALTIES[penalty]).fit(X, Y)
        assert model.converged_ and not model.coef_.any()
    model = MultiTaskRegressor(PENALTIES[penalty]).fit(np.ones((20, 5)), X[:, :2])
    assert model.converged_ and not model.coef_.any()


@pytest.mark.parametrize("penalty", [name for name in PENALTIES if name != "root and fused"])
def test_without_strength_it_is_least_squares(penalty):
    X, Y = separated()
    model = MultiTaskRegressor(PENALTIES[penalty].with_alpha(0.0)).fit(X, Y)
    oracle = np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), Y, rcond=None)[0]
    assert_allclose(model.coef_.T, oracle[1:], atol=1e-8)


@pytest.mark.parametrize("penalty", [BlockMCP(0.05), CappedL1(0.05, 0.5)], ids=lambda p: type(p).__name__)
def test_collinear_and_large_means(penalty):
    X, Y = separated()
    X = np.column_stack([X, X[:, :3], np.ones(len(X)), X[:, 0] + X[:, 1]]) + 1e4
    model = MultiTaskRegressor(penalty, tol=1e-8).fit(X, Y)
    assert model.converged_ and np.abs(model.predict(X) - Y).max() < 2


def test_separable_classes_end_with_a_warning():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    Y = (X[:, :1] + 0.01 * rng.standard_normal((40, 2)) > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match="separate the classes .* run to infinity"):
        model = MultiTaskClassifier(BlockMCP(0.05, gamma=2.0)).fit(X, Y)
    start = MultiTaskClassifier(L21(0.05)).fit(X, Y)
    reference = Reference(model, X, Y)
    assert not model.converged_ and model.objective_ <= reference.of(start) + 1e-6
    assert model.score(X, Y) > 0.9
