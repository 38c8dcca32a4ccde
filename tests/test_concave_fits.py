"""Fits of penalties that are not convex: paths, searches, problems, other arrays, and what is refused."""

import copy

import array_api_strict as strict
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from test_array_api import problem as small_problem
from test_concave import INF, PENALTIES, TOL, separated

from mtlreg import (
    L1,
    L21,
    AppendTask,
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    CappedL1,
    FusedSqrt,
    InfimalConvolution,
    MultiTaskRegressor,
    PathSearchCV,
    SqrtL1Fused,
    Transposed,
)
from mtlreg.losses import Logistic, Softmax, Squared
from mtlreg.penalties import Coupled, MeanRegularized
from mtlreg.solvers import State, solve
from mtlreg.testing import sample_problem

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


@pytest.mark.sampled(2)
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


@pytest.mark.sampled(2)
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
