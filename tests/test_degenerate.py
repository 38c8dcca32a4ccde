"""Data at the edges: one of something, nothing of something, and parameters at their ends."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import Reference

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    Chain,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    TotalVariation,
    TraceNorm,
    Transposed,
    TreeGroups,
    melt,
    stack_tasks,
)

# the structures of the test cases are those of more tasks
pytestmark = pytest.mark.filterwarnings("ignore:.* names tasks that are not in the data")

PENALTIES = {
    "l1": L1(),
    "l21": L21(),
    "l1linf": L1Linf(),
    "l1lq": L1Lq(q=1.5),
    "sparse group": SparseGroup(entry_ratio=0.4),
    "dirty": InfimalConvolution([("b", L1Linf(1.3)), ("s", L1())]),
    "chain": Chain([L1(0.5), L21(0.5)]),
    "tasks": Transposed(L21()),
    "fused sparse group": Chain([TotalVariation(0.5), L1(0.3), L21(0.5)]),
    "graph fused": GraphFused(graph=[(0, 1, 1.0), (1, 2, -0.7), (0, 2, 2.0), (3, 7, 1.0)]),
    "tree": TreeGroups(tree=[((0, 1), 0.8), ((2,), 0.5), (range(8), 1.0)]),
    "trace norm": TraceNorm(),
    "robust low rank": InfimalConvolution([("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))]),
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
LOSSES = ["squared", "huber", "logistic", "squared_hinge", "poisson"]
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_door = pytest.mark.parametrize("door", ["shared", "stacked"])


def data(n=30, p=6, n_tasks=3, loss="squared", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.3
    Y = X @ (rng.standard_normal((p, n_tasks)) * (np.arange(p) < 3)[:, None]) + 0.5 * rng.standard_normal((n, n_tasks))
    if loss == "poisson":
        Y = rng.poisson(np.exp(np.clip(Y, -2, 2))).astype(float)
    elif loss in ("logistic", "squared_hinge"):
        Y = (Y > np.median(Y, axis=0)).astype(float)
    return X, Y


def through(door, X, Y):
    """The data through a door, and the parameter that says so."""
    if door == "shared":
        return X, Y, {}
    return *melt(X, Y), {"task_feature": -1}


def fit(model, X, y, sample_weight=None, optimum=True, rtol=1e-11):
    """Fit, and check all that is claimed about the fit against the plain reference."""
    model.fit(X, y, sample_weight)
    assert model.converged_
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    reference = Reference(model, X, y, sample_weight)
    scale = model.history_["objective"][0]
    assert reference.of(model) == pytest.approx(model.objective_, rel=rtol, abs=rtol * scale)
    if optimum:
        assert model.objective_ <= reference.optimum() + model.dual_gap_ + 1e-12 * scale
    return model


def at(model, X, y, share, **parameters):
    """The model at a share of alpha_max."""
    return model.set_params(penalty=model.penalty.with_alpha(share * model.alpha_max(X, y)), **parameters)


# -- one of something --

SHAPES = [(1, 1, 1), (1, 4, 2), (2, 1, 3), (4, 1, 1), (5, 20, 3), (3, 40, 1), (20, 3, 1), (2, 5, 8)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@every_penalty
@every_door
def test_shapes(shape, penalty, door):
    X, Y, parameters = through(door, *data(*shape))
    for fit_intercept in (True, False):
        model = MultiTaskRegressor(penalty, tol=1e-9, max_iter=50_000, fit_intercept=fit_intercept, **parameters)
        if shape[0] == 1 and fit_intercept:  # the intercepts fit one row each
            model.fit(X, Y)
            assert not model.coef_.any()
            assert_allclose(model.predict(X).ravel(), Y.ravel(), atol=1e-12)
        else:
            fit(at(model, X, Y, 0.1), X, Y)
        assert model.coef_.shape == (shape[2], shape[1])


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "poisson", "huber"])
@every_door
def test_fewer_rows_than_features(loss, door):
    X, Y, parameters = through(door, *data(8, 30, 2, loss))
    fit(at(MultiTaskRegressor(L21(), loss=loss, tol=1e-9, **parameters), X, Y, 0.05), X, Y)


@pytest.mark.parametrize("task_weight", [None, "balanced"])
@every_loss
def test_tasks_of_one_row_and_of_two_hundred(task_weight, loss):
    X, Y = data(203, 5, 1, loss)
    sizes = [200, 1, 2]
    edges = np.cumsum([0, *sizes])
    rows = [slice(s, e) for s, e in zip(edges, edges[1:], strict=False)]
    Xs, y = stack_tasks([X[r] for r in rows], [Y[r, 0] for r in rows])
    # one row has one class, and zeros alone no rate
    intercept = loss in ("squared", "huber")
    model = MultiTaskRegressor(
        L21(), loss=loss, task_feature=-1, task_weight=task_weight, fit_intercept=intercept, tol=1e-9
    )
    fit(at(model, Xs, y, 0.1), Xs, y)


def test_every_task_has_one_row():
    X, Y = data(4, 5, 1)
    Xs, y = stack_tasks([X[[t]] for t in range(4)], [Y[[t], 0] for t in range(4)])
    model = MultiTaskRegressor(L21(0.1), task_feature=-1, tol=1e-9).fit(Xs, y)
    assert not model.coef_.any()
    assert model.converged_
    assert_allclose(model.predict(Xs), y, atol=1e-12)
    fit(model.set_params(fit_intercept=False), Xs, y)


# -- nothing of something --


@every_door
@pytest.mark.parametrize("constant", [3.0, 0.1, 1e6])
def test_counts_that_intercepts_fit(constant, door):
    X, Y = data()
    X, Y, parameters = through(door, X, np.full_like(Y, constant))
    model = MultiTaskRegressor(L21(1e-3), loss="poisson", tol=1e-12, **parameters).fit(X, Y)
    assert not model.coef_.any()
    assert model.converged_
    assert_allclose(model.predict(X).ravel(), constant, rtol=1e-12)


@pytest.mark.parametrize("mean", [1e6, 1e9, 1e12])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # exp(eta) - y has few digits left
def test_rates_of_large_counts_are_found(mean):
    X, _ = data(100, 5, 1)
    y = np.random.default_rng(0).poisson(mean, 100).astype(float)
    model = BlockSparseRegressor(0.1, loss="poisson").fit(X, y)
    assert_allclose(model.predict(X).mean(), y.mean(), rtol=1e-6)
    assert model.history_["objective"][0] < 1  # half the mean deviance of such counts is about 0.5


@every_door
def test_large_counts(door):
    X, Y = data(loss="poisson")
    Y = np.random.default_rng(1).poisson(np.exp(12 + 0.1 * X[:, :3])).astype(float)
    X, Y, parameters = through(door, X, Y)
    fit(at(MultiTaskRegressor(L21(), loss="poisson", tol=1e-9, **parameters), X, Y, 0.01), X, Y, optimum=False)


@every_penalty
@every_door
@pytest.mark.parametrize("constant", [0.0, 3.0, 0.1, -1e6])
def test_labels_that_intercepts_fit(penalty, door, constant):
    X, Y = data()
    X, Y, parameters = through(door, X, np.full_like(Y, constant))
    for share in (1e-3, 1.0):
        model = MultiTaskRegressor(penalty.with_alpha(share), tol=1e-9, **parameters).fit(X, Y)
        assert not model.coef_.any()
        assert model.converged_
        assert_allclose(model.intercept_, constant, rtol=1e-14)
        assert model.dual_gap_ <= 1e-20 * constant**2
    assert model.alpha_max(X, Y) <= 1e-12 * abs(constant)


@every_penalty
def test_labels_of_zero_without_intercepts(penalty):
    X, Y = data()
    model = MultiTaskRegressor(penalty, fit_intercept=False).fit(X, 0 * Y)
    assert not model.coef_.any()
    assert model.converged_
    assert (model.objective_, model.dual_gap_, model.alpha_max(X, 0 * Y)) == (0, 0, 0)
    path = model.path(X, 0 * Y, alphas=3)
    assert not path.coefs.any()


@every_loss
@every_door
def test_constant_zero_and_duplicate_columns(loss, door):
    X, Y = data(loss=loss)
    X = np.column_stack([X, np.full(len(X), 7.0), np.zeros(len(X)), X[:, 0], 1e-3 * np.ones(len(X)), -X[:, 1]])
    X, Y, parameters = through(door, X, Y)
    for standardize in (False, True, "per_task"):
        model = MultiTaskRegressor(L21(), loss=loss, standardize=standardize, tol=1e-10, max_iter=50_000, **parameters)
        fit(at(model, X, Y, 0.05), X, Y)
        assert_array_equal(model.coef_[:, [6, 7, 9]], 0)


@every_penalty
def test_only_constant_columns(penalty):
    X, Y = data()
    X = np.broadcast_to([1.0, 0.0, -1e3, 0.1], (len(X), 4))
    model = MultiTaskRegressor(penalty.with_alpha(1e-3), tol=1e-10).fit(X, Y)
    assert not model.coef_.any()
    assert_allclose(model.intercept_, Y.mean(axis=0), rtol=1e-12)


@every_loss
def test_collinear_columns(loss):
    X, Y = data(40, 3, 2, loss)
    rng = np.random.default_rng(1)
    X = np.column_stack([X @ rng.standard_normal((3, 8)), X.sum(axis=1)])
    model = MultiTaskRegressor(SparseGroup(entry_ratio=0.3), loss=loss, tol=1e-9, max_iter=50_000)
    fit(at(model, X, Y, 0.02), X, Y)


@every_loss
@every_door
def test_collinear_unpenalised_columns(loss, door):
    X, Y = data(60, 6, 2, loss, seed=3)
    X = np.column_stack([X, np.full(60, 7.0), np.zeros(60), X[:, 0], X[:, 0] + X[:, 1]])
    f = np.array([0.0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    X, Y, parameters = through(door, X, Y)
    fit(at(MultiTaskRegressor(L21(), loss=loss, feature_weights=f, tol=1e-9, **parameters), X, Y, 0.1), X, Y)


@pytest.mark.parametrize(("apart", "dtype"), [(1e-3, np.float64), (1e-7, np.float64), (1e-3, np.float32)])
@every_door
def test_nearly_collinear_unpenalised_columns(apart, dtype, door):
    """Their Gram matrix has lost what tells them apart, and least squares by an SVD has not."""
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((2, 200))
    X = np.column_stack([x, x + apart * z, rng.standard_normal((200, 2))]).astype(dtype)
    Y = (z + 0.1 * rng.standard_normal(200)).astype(dtype)[:, None]
    A = np.column_stack([np.ones(200), X]).astype(float)
    residual = Y[:, 0] - A @ np.linalg.lstsq(A, Y[:, 0].astype(float))[0]
    X, Y, parameters = through(door, X, Y)
    model = BlockSparseRegressor(0.0, **parameters).fit(X, Y)
    assert model.objective_ == pytest.approx(residual @ residual / 400, rel=1e-4)
    parameters["feature_weights"] = [0.0, 0.0, 1.0, 1.0]
    model = BlockSparseRegressor(10.0, **parameters).fit(X, Y)
    assert model.objective_ < 1.2 * residual @ residual / 400 + model.dual_gap_


def test_correlated_unpenalised_columns_do_not_separate_classes():
    rng = np.random.default_rng(0)
    x = rng.uniform(20, 70, 400)
    X = np.column_stack([x, x**2, x**3])
    y = (np.sin(x / 8) + 0.5 * rng.logistic(size=400) > 0).astype(int)
    model = BlockSparseClassifier(0.0).fit(X, y)
    assert model.converged_
    assert model.score(X, y) > 0.75


def test_many_unpenalised_columns_take_little_memory():
    X, Y = data(600, 300, 1)
    BlockSparseRegressor(0.0).fit(X[:320], Y[:320])
    tracemalloc.start()
    BlockSparseRegressor(0.0).fit(X, Y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * X.nbytes


def test_fewer_labels_than_unpenalised_columns():
    X, Y = data(20, 6, 3)
    Y[2:, 2] = np.nan
    f = np.array([0.0, 0, 0, 1, 1, 1])
    fit(at(MultiTaskRegressor(L21(), feature_weights=f, tol=1e-9), X, Y, 0.1), X, Y)


# -- classes --


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@every_door
def test_classes_of_one_member(loss, door):
    X, Y = data(loss="logistic")
    Y[:, 0] = np.arange(len(Y)) == 3
    X, Y, parameters = through(door, X, Y)
    fit(at(MultiTaskClassifier(L21(), loss=loss, tol=1e-9, max_iter=50_000, **parameters), X, Y, 0.1), X, Y)


@every_door
def test_numbers_of_classes_that_differ(door):
    X, Y = data()
    Y = np.column_stack([np.digitize(Y[:, 0], [0.0]), np.digitize(Y[:, 1], [-1, 0, 1]), np.digitize(Y[:, 2], [-1, 1])])
    X, Y, parameters = through(door, X, Y)
    model = fit(at(MultiTaskClassifier(L21(), tol=1e-9, max_iter=50_000, **parameters), X, Y, 0.1), X, Y)
    assert model.coef_.shape == (1 + 4 + 3, 6)
    assert [c for _, c in model.columns_] == [1, 0, 1, 2, 3, 0, 1, 2]
