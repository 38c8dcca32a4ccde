"""Penalties that are not convex: stationary, never worse than the convex start, and what theory says of them."""

import copy
import warnings

import array_api_strict as strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import Reference
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from test_array_api import problem as small_problem
from test_certificates import DESIGNS, LOSSES, data, make

from mtlreg import (
    L1,
    L21,
    AppendTask,
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    CappedL1,
    Chain,
    FusedSqrt,
    InfimalConvolution,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    SqrtL1Fused,
    TotalVariation,
    Transposed,
)
from mtlreg.losses import Logistic, Softmax, Squared
from mtlreg.penalties import Coupled, MeanRegularized
from mtlreg.solvers import State, solve
from mtlreg.testing import sample_problem

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


# -- fits, paths, searches ------------------------------------------------------------------------------------------


def test_what_is_reported():
    X, Y = separated()
    model = MultiTaskRegressor(BlockSCAD(0.3)).fit(X, Y)
    assert np.isnan(model.dual_gap_) and model.history_["gap"][-1] == model.stationarity_
    assert model.history_["objective"][0] == pytest.approx(MultiTaskRegressor(L21(1e9)).fit(X, Y).objective_)
    assert not hasattr(MultiTaskRegressor(L21(0.3)).fit(X, Y), "stationarity_")
    assert not hasattr(model.set_params(penalty=L21(0.3)).fit(X, Y), "stationarity_")


def test_warning_names_the_residual():
    X, Y = separated()
    with pytest.warns(ConvergenceWarning, match="stationarity residual"):
        model = MultiTaskRegressor(BlockLog(0.1, 0.01), tol=1e-12, max_iter=12).fit(X, Y)
    assert not model.converged_ and model.stationarity_ > 0


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("door", ["shared", "missing", "stacked"])
def test_a_path_is_the_fits_along_it(penalty, door):
    X, Y = separated(n=40)
    model = MultiTaskRegressor(PENALTIES[penalty], tol=1e-11)
    if door == "missing":
        Y[::7, 1] = np.nan
    elif door == "stacked":
        model.set_params(task_feature=-1)
        X, Y = np.concatenate([np.c_[X, np.full(len(X), t)] for t in range(3)]), Y.T.ravel()
    path = model.path(X, Y, 6, eps=1e-2)
    assert path.converged.all() and np.isnan(path.dual_gaps).all()
    assert not path.coefs[0].any() and path.coefs[-1].any()
    for alpha, coef, residual in zip(path.alphas, path.coefs, path.residuals, strict=True):
        fitted = MultiTaskRegressor(model.penalty.with_alpha(alpha), tol=1e-11, task_feature=model.task_feature)
        fitted.fit(X, Y)
        scale = fitted.history_["objective"][0]
        assert residual <= 1e-11 * scale
        assert_allclose(coef, fitted.coef_, atol=1e-3)


def test_alpha_max_and_range():
    X, Y = separated()
    norm = MultiTaskRegressor(L21()).alpha_max(X, Y)
    assert MultiTaskRegressor(BlockMCP()).alpha_max(X, Y) == norm
    assert MultiTaskRegressor(CappedL1()).alpha_max(X, Y) == MultiTaskRegressor(L1()).alpha_max(X, Y)
    with pytest.raises(NotImplementedError, match="stationary at every alpha"):
        MultiTaskRegressor(BlockPower()).alpha_max(X, Y)
    alphas = MultiTaskRegressor(BlockPower()).path_alphas(X, Y, 5, eps=0.1)
    assert_allclose(alphas[[0, -1]], [norm, 0.1 * norm])


@pytest.mark.parametrize("penalty", [BlockMCP(), BlockPower()], ids=lambda p: type(p).__name__)
def test_search(penalty):
    X, Y = separated(n=100)
    search = PathSearchCV(MultiTaskRegressor(penalty), alphas=8, eps=1e-2, cv=3).fit(X, Y)  # from moments
    assert search.best_score_ > 0.95
    X, Y = separated(n=30)
    Y[::5, 0] = np.nan
    search = PathSearchCV(MultiTaskRegressor(penalty), alphas=5, eps=1e-2, cv=3).fit(X, Y)
    assert search.best_estimator_.converged_ and np.isfinite(search.best_score_)
    names = {"penalty__gamma": [2.0, 5.0]} if isinstance(penalty, BlockMCP) else {"penalty__exponent": [0.3, 0.7]}
    stacked = AppendTask().fit(X).transform(X)
    search = PathSearchCV(MultiTaskRegressor(penalty, task_feature=-1), alphas=4, eps=1e-2, cv=3, param_grid=names)
    search.fit(stacked, np.nan_to_num(Y[:, 0]))
    assert set(names) <= set(search.best_params_)


def test_warm_start_changes_nothing_but_the_work():
    X, Y = separated()
    model = MultiTaskRegressor(BlockMCP(0.3), tol=TOL, warm_start=True).fit(X, Y)
    coef, n_iter = model.coef_, model.n_iter_
    model.fit(X, Y)
    assert model.n_iter_ <= n_iter
    assert_allclose(model.coef_, coef, atol=1e-8)


def test_weights_are_repeated_rows_and_zero_weights_none():
    X, Y = separated(n=40)
    weights = np.random.default_rng(0).integers(0, 3, 40).astype(float)
    often = np.repeat(np.arange(40), weights.astype(int))
    for penalty in (BlockMCP(0.3), BlockPower(0.3)):
        one = MultiTaskRegressor(penalty, tol=1e-12).fit(X, Y, weights)
        other = MultiTaskRegressor(penalty, tol=1e-12).fit(X[often], Y[often])
        assert_allclose(one.coef_, other.coef_, atol=1e-6)


@pytest.mark.parametrize("solver", ["auto", "coordinate_descent", "working_set", "prox_newton", "fista"])
def test_every_solver_of_the_stages_gives_the_same(solver):
    X, Y = separated(n=40)
    wanted = MultiTaskRegressor(BlockMCP(0.3), tol=1e-12).fit(X, Y)
    fitted = MultiTaskRegressor(BlockMCP(0.3), tol=1e-12, max_iter=100_000)
    fitted.solver = solver
    fitted.fit(X, Y)
    assert fitted.converged_
    assert_allclose(fitted.coef_, wanted.coef_, atol=1e-6)


def test_unknown_solver():
    X, Y = separated()
    model = MultiTaskRegressor(BlockMCP(0.3))
    model.solver = "simplex"
    with pytest.raises(ValueError, match="solver='simplex' is not known"):
        model.fit(X, Y)


# -- problems -------------------------------------------------------------------------------------------------------

WEIGHTS = np.array([1.0, 0.0, 2.0, INF, 0.0, 0.5, 3.0, 1.0])


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_reweighted_there_and_back(loss, stacked, intercept):
    problem = sample_problem(loss, BlockMCP(0.1), stacked=stacked, intercept=intercept)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(problem.zero.shape) * (WEIGHTS < INF)[:, None]
    Z = problem.smooth(problem.predictors(x)).Z
    other = problem.reweighted(WEIGHTS)
    there = other.forward(x, Z)

    def predictors(problem, x, Z):
        eta = problem.predictors(x)
        return eta if Z is None else eta + problem.free.predictor(Z)

    assert_allclose(predictors(other.problem, there.x, there.Z), predictors(problem, x, Z), atol=1e-10)
    finite = np.where((WEIGHTS > 0) & (WEIGHTS < INF), WEIGHTS, 0)[:, None]
    assert other.problem.penalty.value(there.x) == pytest.approx(L21(0.1).value(finite * x), rel=1e-12)
    back, Z_back = other.backward(there.x, there.Z)
    assert_allclose(back, x, atol=1e-10)
    assert (Z is None and Z_back is None) or np.abs(Z_back - Z).max() < 1e-10


FREEING = [BlockMCP(gamma=5.0), CappedL1(theta=0.4)]


@pytest.mark.parametrize(
    ("loss", "stacked", "penalty"),
    # of the stacked data every task has its classes separated by a few features
    [(Squared(), stacked, p) for stacked in (False, True) for p in (*FREEING, BlockPower())]
    + [(loss, False, p) for loss in (Logistic(), Softmax()) for p in FREEING]
    + [(loss, True, BlockPower()) for loss in (Logistic(), Softmax())],
    ids=lambda value: getattr(value, "name", None) or str(value),
)
def test_other_arrays(loss, stacked, penalty):
    settings = {"tol": 1e-8, "max_iter": 100_000}
    low, _ = penalty.alpha_range(small_problem(np, loss, penalty, stacked), 0.5)
    penalty = penalty.with_alpha(low)
    here = solve(small_problem(np, loss, penalty, stacked), **settings)
    there = solve(small_problem(strict, loss, penalty, stacked), **settings)
    assert isinstance(there.x, type(strict.asarray(0.0)))
    assert there.converged and here.converged
    assert there.objective == pytest.approx(here.objective, rel=1e-6)


def test_float32_stays_float32():
    X, Y = separated()
    model = MultiTaskRegressor(BlockMCP(0.3)).fit(X.astype(np.float32), Y)
    assert model.coef_.dtype == np.float32 and model.converged_


def test_the_start_makes_no_difference():
    X, Y = separated(n=30)
    encoding, _ = copy.copy(MultiTaskRegressor(BlockPower(0.3), tol=TOL))._encode(X, Y, None)
    wanted = solve(encoding.problem, tol=1e-12)
    rng = np.random.default_rng(0)
    for start in (wanted, State(rng.standard_normal(wanted.x.shape))):
        assert_allclose(solve(encoding.problem, start=start, tol=1e-12).x, wanted.x, atol=1e-6)


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("penalty", "error", "words"),
    [
        (BlockMCP(gamma=1.0), ValueError, "gamma"),
        (BlockMCP(gamma="3"), TypeError, "gamma"),
        (BlockMCP(alpha=-1.0), ValueError, "alpha"),
        (BlockMCP(alpha=INF), ValueError, "alpha"),
        (BlockSCAD(gamma=2.0), ValueError, "gamma"),
        (CappedL1(theta=0.0), ValueError, "theta"),
        (BlockLog(epsilon=0.0), ValueError, "epsilon"),
        (BlockLog(epsilon=INF), ValueError, "epsilon"),
        (BlockPower(exponent=1.0), ValueError, "exponent .* L1Lq"),
        (BlockPower(exponent=0.0), ValueError, "exponent"),
        (BlockPower(q=0.5), ValueError, "q"),
        (FusedSqrt(fused_ratio=1.0), ValueError, "fused_ratio"),
        (FusedSqrt(fused_ratio=-0.1), ValueError, "fused_ratio"),
        (FusedSqrt(order=[1, 1]), ValueError, "order"),
        (SqrtL1Fused(alpha=0.0), ValueError, "TotalVariation"),
        (SqrtL1Fused(alpha_fused=-1.0), ValueError, "alpha_fused"),
        (Transposed(FusedSqrt()), TypeError, "not convex"),
        (Transposed(BlockMCP()), TypeError, "not convex"),
        (InfimalConvolution([("a", BlockMCP()), ("b", L1())]), TypeError, "not convex"),
        (Coupled(BlockMCP(), MeanRegularized()), TypeError, "not convex"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value),
)
def test_bad_parameters(penalty, error, words):
    with pytest.raises(error, match=words):
        MultiTaskRegressor(penalty).fit(np.ones((3, 2)), np.ones((3, 2)))
