"""Calibrated regression: certificates against the truth, and what the root of a sum of squares is for."""

from itertools import product

import numpy as np
import pytest
from reference import Reference
from test_certificates import DESIGNS, MORE_PENALTIES, PENALTIES, check
from test_moments import assert_same_fit

from mtlreg import (
    L1,
    L21,
    BlockSparseRegressor,
    InfimalConvolution,
    L1Linf,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    SparseGroup,
    Transposed,
    stack_tasks,
)
from mtlreg.calibrated import CalibratedProblem
from mtlreg.losses import Calibrated
from mtlreg.penalties import Coupled, MeanRegularized, TemporalSmooth
from mtlreg.solvers import solve
from mtlreg.testing import check_solver, sample_problem

SOME = {
    "l1": L1(),
    "l21": L21(),
    "tasks": Transposed(L21()),
    "dirty": InfimalConvolution([("shared", L21(1.2)), ("specific", L1())]),
    "mean": MeanRegularized(),
    "mean+ridge": MeanRegularized(alpha_ridge=0.05),
    "coupled": Coupled(L21(0.5), MeanRegularized(0.1)),
}


def few():
    """Every penalty with three designs, so that every design comes several times."""
    for i, penalty in enumerate(PENALTIES):
        for j in range(3):
            yield penalty, list(DESIGNS)[(i + 6 * j) % len(DESIGNS)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("penalty", "design"), list(few()))
def test_gap_against_the_truth(penalty, design):
    check(PENALTIES[penalty], "calibrated", design)


@pytest.mark.slow
@pytest.mark.parametrize(("penalty", "design"), list(product(PENALTIES | MORE_PENALTIES, DESIGNS)))
@pytest.mark.parametrize("strength", [0.5, 0.02])
def test_gap_against_the_truth_everywhere(penalty, design, strength):
    check((PENALTIES | MORE_PENALTIES)[penalty], "calibrated", design, strength)


@pytest.mark.parametrize("sigma_min", [0.3, 1.0])
@pytest.mark.parametrize("penalty", ["l21", "dirty", "sparse group+ridge"])
def test_gap_against_the_truth_with_a_floor_that_is_felt(penalty, sigma_min):
    for design in ("dense", "missing, balanced", "stacked, weights"):
        check(PENALTIES[penalty], Calibrated(sigma_min), design, strength=0.03)


def calibrated_problem(penalty, **settings):
    plain = sample_problem("squared", penalty, **settings)
    return CalibratedProblem(plain.design, plain.losses, plain.y, plain.weights, plain.penalty)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(
    "penalty",
    [L21(0.1), L1(0.02, alpha_ridge=0.1), Transposed(L21(0.1)), Coupled(L21(0.1), TemporalSmooth(0.2))],
    ids=["L21", "L1", "tasks", "Coupled"],
)
def test_fista_and_its_certificates(penalty, stacked):
    check_solver("fista", [calibrated_problem(penalty, stacked=stacked, n_features=5)])


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", [MeanRegularized(0.3), MeanRegularized(0.3, 0.1), TemporalSmooth(1.0)])
def test_newton_and_its_certificates(penalty, intercept, stacked):
    check_solver("newton_cg", [calibrated_problem(penalty, stacked=stacked, intercept=intercept, n_features=5)])


# -- degenerate data
# -----------------------------------------------------------------------------------------------------


def noisy(n, p, T, seed=0, noise=(1.0, 0.1, 10.0)):
    """X and Y whose tasks have the same coefficients but for their scale, and noise of that scale."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    W = rng.standard_normal((p, T)) * (np.arange(p) < 4)[:, None]
    return X, (X @ W + rng.standard_normal((n, T))) * np.resize(noise, T)


def degenerate():
    """By name: X, Y and parameters of the estimator."""
    X, Y = noisy(30, 5, 3, seed=1)
    rng = np.random.default_rng(2)
    holes = np.where(rng.random(Y.shape) < 0.4, np.nan, Y)
    by_row = np.column_stack([X[:3], np.arange(3)])
    return {
        "one task": (X, Y[:, 0], {}),
        "one feature": (X[:, :1], Y, {}),
        "one feature, no noise": (X[:, :1], X[:, :1] * [1.0, 2.0, 3.0], {}),
        "no noise": (X, X @ rng.standard_normal((5, 3)), {}),
        "zero": (X, 0 * Y, {}),
        "constant": (X, 0 * Y + [1.0, 0.1, 3.0], {}),
        "one constant": (X, np.where([False, True, False], 0.1, Y), {}),
        "one zero": (X, Y * [1.0, 0.0, 1.0], {"fit_intercept": False}),
        "collinear": (X[:, [0, 0, 1, 1, 2]], Y, {}),
        "one row": (X[:1], Y[:1], {"fit_intercept": False}),
        "two rows": (X[:2], Y[:2], {}),
        "missing": (X, holes, {}),
        "few rows": (*noisy(10, 20, 3), {}),
        "one row a task": (by_row, Y[:3, 0], {"task_feature": -1, "fit_intercept": False}),
        "one row a task, intercepts": (by_row, Y[:3, 0], {"task_feature": -1}),
        "unpenalised": (X, Y, {"feature_weights": [1, 0, 1, np.inf, 2.0]}),
    }


def some_degenerate():
    """Every case and every penalty; the other pairs are slow."""
    for i, case in enumerate(degenerate()):
        for j, penalty in enumerate(SOME):
            marks = [] if (i + j) % 4 == 0 else [pytest.mark.slow]
            yield pytest.param(case, penalty, id=f"{case}-{penalty}", marks=marks)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("case", "penalty"), list(some_degenerate()))
def test_degenerate_data(case, penalty):
    X, Y, parameters = degenerate()[case]
    penalty = SOME[penalty]
    model = MultiTaskRegressor(penalty, loss="calibrated", tol=1e-8, max_iter=100_000, **parameters)
    try:
        top = model.alpha_max(X, Y) or 0.1
    except NotImplementedError:
        top = 1.0
    for share in (1.5, 0.9, 0.2):
        model.set_params(penalty=penalty.with_alpha(share * top)).fit(X, Y)  # a warning would be an error
        assert model.converged_ and model.dual_gap_ <= 1e-8 * max(model.history_["objective"][0], 1e-300)
        assert np.isfinite(model.coef_).all()
        if share > 1 and not isinstance(penalty, MeanRegularized):
            free = [1] if "feature_weights" in parameters else []
            assert not np.delete(np.atleast_2d(model.coef_), free, axis=1).any()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", ["no noise", "few rows", "two rows", "one constant", "one row a task"])
@pytest.mark.parametrize("penalty", ["l1", "l21", "dirty"])
def test_degenerate_data_against_the_truth(case, penalty):
    X, Y, parameters = degenerate()[case]
    model = MultiTaskRegressor(SOME[penalty], loss="calibrated", tol=1e-9, max_iter=100_000, **parameters)
    model.set_params(penalty=SOME[penalty].with_alpha(0.2 * model.alpha_max(X, Y))).fit(X, Y)
    scale, reference = model.history_["objective"][0], Reference(model, X, Y)
    best = reference.optimum()
    assert reference.of(model) == pytest.approx(model.objective_, rel=1e-10)
    assert best - 1e-7 * scale <= model.objective_ <= best + model.dual_gap_ + 1e-12 * scale


# -- what it is for
# -----------------------------------------------------------------------------------------------------


def test_the_objective_is_the_root_of_the_mean_of_squares():
    X, Y = noisy(40, 6, 3)
    model = BlockSparseRegressor(alpha=0.2, loss="calibrated").fit(X, Y)
    roots = np.linalg.norm(Y - model.predict(X), axis=0) / np.sqrt(40)
    np.testing.assert_allclose(model.noise_scale_, roots, rtol=1e-10)
    omega = 0.2 * np.linalg.norm(model.coef_, axis=0).sum()
    assert model.objective_ == pytest.approx(roots.sum() + omega, rel=1e-12)


def test_one_task_is_the_lasso_at_a_matching_strength():
    X, Y = noisy(40, 6, 1)
    model = BlockSparseRegressor(alpha=0.2, loss="calibrated", tol=1e-12).fit(X, Y[:, 0])
    assert isinstance(model.noise_scale_, float)
    lasso = BlockSparseRegressor(alpha=0.2 * model.noise_scale_, tol=1e-12).fit(X, Y[:, 0])
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-7)
    assert 0 < np.count_nonzero(lasso.coef_) < 6


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_solution_is_that_of_the_squared_loss_whose_tasks_count_by_their_noise(missing):
    X, Y = noisy(40, 6, 3)
    Y[np.random.default_rng(0).random(Y.shape) < missing] = np.nan
    model = BlockSparseRegressor(alpha=0.2, loss="calibrated", tol=1e-12).fit(X, Y)
    counts = np.isfinite(Y).sum(axis=0)
    sigma = model.noise_scale_ * np.sqrt(counts / counts.mean())
    squared = BlockSparseRegressor(alpha=0.2, task_weight=1 / sigma, tol=1e-12).fit(X, Y)
    np.testing.assert_allclose(model.coef_, squared.coef_, atol=1e-5 * np.abs(squared.coef_).max())


def test_the_unit_of_a_task_does_not_matter():
    X, Y = noisy(60, 10, 3)
    units = np.array([1.0, 1000.0, 1.0])
    for parameters in ({}, {"standardize": True}):
        model = MultiTaskRegressor(L1(0.15), loss="calibrated", tol=1e-10, **parameters)
        plain, other = (model.fit(X, Y * unit).coef_ for unit in (1.0, units))
        assert ((plain != 0) == (other != 0)).all() and 0 < np.count_nonzero(plain) < plain.size
        np.testing.assert_allclose(other, plain * units[:, None], rtol=1e-4)
    # and does under the squared loss
    squared = MultiTaskRegressor(L1(0.15))
    assert np.count_nonzero(squared.fit(X, Y * units).coef_) != np.count_nonzero(squared.fit(X, Y).coef_)


def test_the_floor_at_one_is_least_squares_in_units_of_the_residual_at_zero():
    X, Y = noisy(40, 6, 3)
    model = MultiTaskRegressor(L21(0.1), loss=Calibrated(sigma_min=1.0), tol=1e-12).fit(X, Y)
    squared = MultiTaskRegressor(L21(0.1), task_weight=1 / Y.std(axis=0), tol=1e-12).fit(X, Y)
    np.testing.assert_allclose(model.coef_, squared.coef_, atol=1e-6)
    np.testing.assert_allclose(model.noise_scale_, Y.std(axis=0))


def test_noise_is_found():
    X, Y = noisy(2000, 10, 3)
    model = BlockSparseRegressor(alpha=0.05, loss="calibrated").fit(X, Y)
    np.testing.assert_allclose(model.noise_scale_, [1.0, 0.1, 10.0], rtol=0.06)


@pytest.mark.parametrize("penalty", [p for n, p in SOME.items() if not n.startswith("mean")])
def test_alpha_max_is_exact_from_both_sides(penalty):
    for X, Y in (noisy(30, 6, 3), noisy(12, 20, 2)):
        model = MultiTaskRegressor(penalty, loss="calibrated", tol=1e-13, max_iter=100_000)
        top = model.alpha_max(X, Y)
        assert not model.set_params(penalty=penalty.with_alpha(top * (1 + 1e-8))).fit(X, Y).coef_.any()
        assert model.set_params(penalty=penalty.with_alpha(top * (1 - 1e-3))).fit(X, Y).coef_.any()


# -- everything around it
# -----------------------------------------------------------------------------------------------------


def fitted(X, Y, **parameters):
    return BlockSparseRegressor(alpha=0.2, loss="calibrated", tol=1e-11, **parameters).fit(X, Y)


def test_stacked_rows_weights_and_missing_labels_are_what_they_stand_for():
    X, Y = noisy(25, 6, 3)
    Y[np.random.default_rng(0).random(Y.shape) < 0.3] = np.nan
    shared = fitted(X, Y)
    seen = [np.isfinite(y) for y in Y.T]
    table, labels = stack_tasks([X[rows] for rows in seen], [y[rows] for y, rows in zip(Y.T, seen, strict=True)])
    stacked = fitted(table, labels, task_feature=-1)
    np.testing.assert_allclose(stacked.coef_, shared.coef_, atol=1e-7)
    np.testing.assert_allclose(stacked.noise_scale_, shared.noise_scale_, rtol=1e-6)
    order = [2, 0, 1]
    np.testing.assert_allclose(fitted(X, Y[:, order]).coef_, shared.coef_[order], atol=1e-7)
    model = BlockSparseRegressor(alpha=0.2, loss="calibrated", tol=1e-11)
    weights = np.arange(25) % 3
    repeated = np.repeat(np.arange(25), weights)
    np.testing.assert_allclose(model.fit(X, Y, weights).coef_, fitted(X[repeated], Y[repeated]).coef_, atol=1e-7)


@pytest.mark.parametrize("penalty", [L21(0.2), L1Linf(0.2, alpha_ridge=0.1), MeanRegularized(0.2), SOME["dirty"]])
@pytest.mark.parametrize("standardize", [False, True])
def test_many_rows_are_replaced_by_moments_without_a_trace(penalty, standardize):
    X, Y = noisy(300, 8, 3)
    X = X * np.geomspace(0.3, 3, 8) + 5
    weights = np.random.default_rng(0).uniform(0.5, 2, 300)
    settings = {"tol": 1e-10, "standardize": standardize, "loss": "calibrated", "max_iter": 100_000}
    fast = MultiTaskRegressor(penalty.with_alpha(0.2), **settings).fit(X, Y, weights)
    solver = "newton_cg" if isinstance(penalty, MeanRegularized) else "fista"
    plain = MultiTaskRegressor(penalty.with_alpha(0.2), solver=solver, **settings).fit(X, Y, weights)
    assert_same_fit(fast, plain)
    np.testing.assert_allclose(fast.noise_scale_, plain.noise_scale_, rtol=1e-4)


def test_the_floor_is_reached_in_moments_too():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 4))
    Y = X @ rng.standard_normal((4, 3)) + 1e-4 * rng.standard_normal((100, 3))
    settings = {"tol": 1e-10, "loss": "calibrated"}
    fast = MultiTaskRegressor(L21(0.05), **settings).fit(X, Y)
    plain = MultiTaskRegressor(L21(0.05), solver="fista", **settings).fit(X, Y)
    np.testing.assert_allclose(fast.noise_scale_, 0.01 * Y.std(axis=0))
    np.testing.assert_allclose(fast.coef_, plain.coef_, atol=1e-6)
    assert fast.objective_ == pytest.approx(plain.objective_, rel=1e-9)


def test_float32_stays():
    X, Y = noisy(40, 6, 3)
    single = BlockSparseRegressor(alpha=0.2, loss="calibrated").fit(X.astype(np.float32), Y.astype(np.float32))
    double = BlockSparseRegressor(alpha=0.2, loss="calibrated").fit(X, Y)
    assert single.coef_.dtype == np.float32 and single.converged_
    np.testing.assert_allclose(single.coef_, double.coef_, atol=2e-3)


def test_a_warm_start_begins_at_the_solution():
    X, Y = noisy(40, 6, 3)
    model = BlockSparseRegressor(alpha=0.2, loss="calibrated", warm_start=True).fit(X, Y)
    assert model.fit(X, Y).history_["iteration"].tolist() == [0]


def test_path_and_search():
    X, Y = noisy(60, 10, 3)
    model = BlockSparseRegressor(loss="calibrated", tol=1e-8)
    path = model.path(X, Y, alphas=5, eps=0.05)
    assert path.converged.all() and not path.coefs[0].any()
    for alpha, coef in zip(path.alphas[1:], path.coefs[1:], strict=True):
        alone = BlockSparseRegressor(alpha=float(alpha), loss="calibrated", tol=1e-10).fit(X, Y)
        np.testing.assert_allclose(coef, alone.coef_, atol=1e-3)
    search = PathSearchCV(BlockSparseRegressor(loss="calibrated"), alphas=8, eps=0.05, cv=3).fit(X, Y)
    assert search.best_estimator_.noise_scale_.shape == (3,) and search.best_score_ > 0.5
    search = PathSearchCV(
        MultiTaskRegressor(SparseGroup(), loss=Calibrated()),
        alphas=4,
        eps=0.1,
        param_grid={"loss__sigma_min": [0.01, 1]},
    ).fit(X, Y)
    assert set(search.best_params_) == {"loss__sigma_min", "penalty__alpha"}


def test_a_problem_under_other_strengths():
    problem = calibrated_problem(L21(0.1))
    for alpha in (0.3, 0.1, 0.02):
        there = solve(problem.with_alpha(alpha), tol=1e-9)
        assert there.converged
        assert there.objective == pytest.approx(solve(calibrated_problem(L21(alpha)), tol=1e-9).objective, rel=1e-8)


@pytest.mark.parametrize("sigma_min", [0, -1.0, 1.5, np.nan, np.inf])
def test_a_floor_out_of_range(sigma_min):
    X, Y = noisy(20, 5, 3)
    with pytest.raises(ValueError, match=r"Calibrated\(sigma_min=.*\): sigma_min must be in \(0, 1\]"):
        MultiTaskRegressor(loss=Calibrated(sigma_min)).fit(X, Y)


@pytest.mark.parametrize("sigma_min", [None, "small", True])
def test_a_floor_that_is_no_number(sigma_min):
    X, Y = noisy(20, 5, 3)
    with pytest.raises(TypeError, match="sigma_min must be a number"):
        MultiTaskRegressor(loss=Calibrated(sigma_min)).fit(X, Y)


@pytest.mark.parametrize("loss", [["squared", "calibrated", "squared"], {0: Calibrated(), 1: "huber", 2: "squared"}])
def test_not_for_some_tasks(loss):
    X, Y = noisy(20, 5, 3)
    with pytest.raises(ValueError, match="for all their tasks together"):
        MultiTaskRegressor(loss=loss).fit(X, Y)


def test_not_for_classification():
    X, Y = noisy(20, 5, 3)
    with pytest.raises(ValueError, match="it is for regressors"):
        MultiTaskClassifier(loss="calibrated").fit(X, Y > 0)


@pytest.mark.parametrize("solver", ["coordinate_descent", "prox_newton"])
def test_solvers_that_do_not_apply(solver):
    X, Y = noisy(20, 5, 3)
    with pytest.raises(ValueError, match=f"solver='{solver}' needs"):
        BlockSparseRegressor(loss="calibrated", solver=solver).fit(X, Y)
