"""One model, two ways: other layouts of the same data, other parameters for the same thing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    Chain,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    melt,
    stack_tasks,
)

N, P, T = 40, 8, 3
TIGHT = {"tol": 1e-11, "max_iter": 100_000}


def data(seed=0, n=N, loss="squared"):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, P)) * np.linspace(0.5, 2.0, P) + np.linspace(-1, 1, P)
    W = rng.standard_normal((P, T)) * (np.arange(P) < 4)[:, None]
    Y = X @ W + 0.7 * rng.standard_normal((n, T)) + [0.3, -1.0, 2.0]
    if loss == "poisson":
        Y = rng.poisson(np.exp(np.clip(0.4 * Y, -3, 2))).astype(float)
    elif loss in ("logistic", "squared_hinge"):
        Y = (Y > Y.mean(axis=0)).astype(float)
    return X, Y


def missing(Y, share=0.3, seed=1):
    return np.where(np.random.default_rng(seed).random(Y.shape) < share, np.nan, Y)


def weights(shape, seed=2):
    return np.random.default_rng(seed).uniform(0.3, 2.0, shape)


def same(one, other, rtol=1e-9, atol=1e-5):
    """Equal objectives, and coefficients as equal as that makes them."""
    assert one.converged_
    assert other.converged_
    assert one.objective_ == pytest.approx(other.objective_, rel=rtol)
    assert_allclose(np.atleast_2d(one.coef_), np.atleast_2d(other.coef_), atol=atol)
    assert_allclose(np.atleast_1d(one.intercept_), np.atleast_1d(other.intercept_), atol=10 * atol)


# -- layouts of the same data --

MODELS = {
    "l21": MultiTaskRegressor(L21(0.2), **TIGHT),
    "sparse group, positive": MultiTaskRegressor(SparseGroup(0.2, entry_ratio=0.4, positive=True), **TIGHT),
    "l1linf+ridge": MultiTaskRegressor(L1Linf(0.2, alpha_ridge=0.1), **TIGHT),
    "dirty": MultiTaskRegressor(InfimalConvolution([("b", L1Linf(1.5)), ("s", L1())], alpha=0.1), **TIGHT),
    "logistic": MultiTaskRegressor(L21(0.03), loss="logistic", **TIGHT),
    "poisson": MultiTaskRegressor(L21(0.1), loss="poisson", **TIGHT),
    "huber, standardized": MultiTaskRegressor(L21(0.1), loss="huber", standardize=True, **TIGHT),
    "per task": MultiTaskRegressor(L21(0.1), standardize="per_task", **TIGHT),
    "balanced": MultiTaskRegressor(L21(0.1), task_weight="balanced", **TIGHT),
    "no intercept": MultiTaskRegressor(L1Lq(0.1, q=1.5), fit_intercept=False, **TIGHT),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def fitted(model, X, Y, sample_weight=None, **parameters):
    return model.__class__(**{**model.get_params(deep=False), **parameters}).fit(X, Y, sample_weight)


@every_model
def test_stacked_is_shared(model):
    X, Y = data(loss=model.loss)
    Xs, y = stack_tasks([X] * T, list(Y.T))
    same(fitted(model, X, Y), fitted(model, Xs, y, task_feature=-1))


@every_model
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_missing_label_is_dropped_row(model, container):
    X, Y = data(loss=model.loss)
    Y = missing(Y)
    w = weights(N)
    X_long, y_long, rows = melt(container(X), Y, return_index=True)
    one = fitted(model, container(X), Y, w)
    same(one, fitted(model, X_long, y_long, w[rows], task_feature=-1))
    # a label that is not there has no influence, whatever its weight
    wide = np.where(np.isnan(Y), 7.0, w[:, None])
    same(one, fitted(model, container(X), Y, wide))
    same(one, fitted(model, container(X), np.nan_to_num(Y, nan=1.0), np.where(np.isnan(Y), 0.0, w[:, None])))


@every_model
def test_weight_two_is_the_row_twice(model):
    X, Y = data(loss=model.loss)
    w = np.random.default_rng(3).integers(0, 4, N)
    twice = np.repeat(np.arange(N), w)
    same(fitted(model, X, Y, w), fitted(model, X[twice], Y[twice]))
    Xs, y = stack_tasks([X] * T, list(Y.T))
    counts = np.random.default_rng(4).integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    one = fitted(model, Xs, y, counts, task_feature=-1)
    same(one, fitted(model, Xs[rows], y[rows], task_feature=-1))
    same(one, fitted(model, X, Y, counts.reshape(T, N).T))


@every_model
def test_weight_zero_is_no_row(model):
    X, Y = data(loss=model.loss)
    w = weights(N) * (np.arange(N) % 3 > 0)
    wild = np.where(w[:, None] > 0, X, 1e3)
    same(fitted(model, wild, Y, w), fitted(model, X[w > 0], Y[w > 0], w[w > 0]))


@every_model
def test_scale_of_weights_is_irrelevant(model):
    X, Y = data(loss=model.loss)
    same(fitted(model, X, Y, weights(N)), fitted(model, X, Y, 1e3 * weights(N)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("door", ["shared", "stacked"])
@pytest.mark.parametrize("scale", [1e308, 1e39, 1e-308])
def test_scale_of_weights_is_irrelevant_whatever_it_is(scale, door, dtype):
    X, Y = data()
    parameters = {}
    if door == "stacked":
        X, Y = melt(X, Y)
        parameters = {"task_feature": -1}
    model = BlockSparseRegressor(0.2, **parameters)
    one = fitted(model, X.astype(dtype), Y, np.full(len(X), scale))
    assert_array_equal(one.coef_, fitted(model, X.astype(dtype), Y).coef_)
    assert one.coef_.any()


def test_weights_of_missing_labels_are_irrelevant_whatever_they_are():
    X, Y = data()
    Y = missing(Y)
    model = BlockSparseRegressor(0.2)
    one = fitted(model, X.astype(np.float32), Y, np.where(np.isnan(Y), 1e300, 1.0))
    assert_array_equal(one.coef_, fitted(model, X.astype(np.float32), Y).coef_)


def test_masked_labels_are_missing():
    X, Y = data()
    holes = missing(Y)
    masked = np.ma.masked_array(Y, np.isnan(holes))
    one, other = BlockSparseRegressor(0.2).fit(X, masked), BlockSparseRegressor(0.2).fit(X, holes)
    assert_array_equal(one.coef_, other.coef_)
    assert one.score(X, masked) == other.score(X, holes)
    counts = np.ma.masked_array(np.rint(Y).astype(int), masked.mask)
    one = BlockSparseRegressor(0.2).fit(X, counts)
    assert_array_equal(one.coef_, BlockSparseRegressor(0.2).fit(X, np.rint(holes)).coef_)
    rows = melt(X, Y)[0]
    one = BlockSparseRegressor(0.2, task_feature=-1).fit(rows, masked.T.ravel())
    assert_array_equal(one.coef_, BlockSparseRegressor(0.2, task_feature=-1).fit(rows, holes.T.ravel()).coef_)


@every_model
def test_order_of_rows_and_tasks_is_irrelevant(model):
    X, Y = data(loss=model.loss)
    Y = missing(Y)
    rows, tasks = np.random.default_rng(5).permutation(N), [2, 0, 1]
    one, other = fitted(model, X, Y), fitted(model, X[rows], Y[rows][:, tasks])
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    assert_allclose(one.coef_[tasks], other.coef_, atol=1e-5)
    X_long, y_long = melt(X, Y)
    rows = np.random.default_rng(6).permutation(len(y_long))
    same(fitted(model, X_long, y_long, task_feature=-1), fitted(model, X_long[rows], y_long[rows], task_feature=-1))


@every_model
def test_place_and_type_of_the_task_column_is_irrelevant(model):
    X, Y = data(loss=model.loss)
    X_long, y_long = melt(X, Y)
    one = fitted(model, X_long, y_long, task_feature=-1)
    same(one, fitted(model, np.roll(X_long, 1, axis=1), y_long, task_feature=0))
    frame, y_frame = melt(X, Y, tasks=["a", "b", "c"])
    other = fitted(model, frame, y_frame, task_feature="task")
    same(one, other)
    assert other.tasks_.tolist() == ["a", "b", "c"]


@every_model
def test_balanced_is_a_weight_of_one_over_the_size(model):
    X, Y = data(loss=model.loss)
    X_long, y_long = melt(X, missing(Y))
    counts = np.bincount(X_long[:, -1].astype(int))
    w = 1 / counts[X_long[:, -1].astype(int)]
    one = fitted(model, X_long, y_long, task_feature=-1, task_weight="balanced")
    other = fitted(model, X_long, y_long, w, task_feature=-1)
    # moments for the scale of features do see sample weights
    if model.standardize is not True:
        same(one, other)


@every_model
def test_task_weights_by_name_and_by_order(model):
    X, Y = data(loss=model.loss)
    one = fitted(model, X, Y, task_weight=[1.0, 2.0, 0.5])
    same(one, fitted(model, X, Y, task_weight={2: 0.5, 0: 1.0, 1: 2.0, "absent": 9.0}))
    twice = fitted(model, X, Y, task_weight=[2.0, 4.0, 1.0])
    assert twice.objective_ > one.objective_


@every_model
def test_one_task_by_all_doors(model):
    X, Y = data(loss=model.loss)
    flat = fitted(model, X, Y[:, 0])
    assert flat.coef_.shape == (P,)
    assert np.ndim(flat.intercept_) == 0
    Xs, y = stack_tasks([X], [Y[:, 0]])
    for other in (fitted(model, X, Y[:, :1]), fitted(model, Xs, y, task_feature=-1)):
        assert other.coef_.shape == (1, P)
        same(flat, other)


@every_model
def test_twice_the_same_bit_for_bit(model):
    X, Y = data(loss=model.loss)
    one, other = fitted(model, X, Y), fitted(model, X, Y)
    for name in ("coef_", "intercept_", "n_iter_", "dual_gap_", "objective_"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert_array_equal(one.history_["gap"], other.history_["gap"])


# -- classes --


@pytest.mark.parametrize("standardize", [False, True, "per_task"])
def test_class_weights_are_sample_weights(standardize):
    X, Y = data(loss="logistic")
    factors = {0.0: 1.0, 1.0: 3.0}
    parameters = {"standardize": standardize, **TIGHT}
    one = BlockSparseClassifier(0.02, class_weight=factors, **parameters).fit(X, Y)
    same(one, BlockSparseClassifier(0.02, **parameters).fit(X, Y, sample_weight=np.where(Y == 1, 3.0, 1.0)))
    Xs, y = stack_tasks([X] * T, list(Y.T))
    same(one, BlockSparseClassifier(0.02, class_weight=factors, task_feature=-1, **parameters).fit(Xs, y))


def test_balanced_classes_by_hand():
    X, Y = data(loss="logistic")
    Y[:10] = 0.0
    w = np.where(Y == 1, 0.5 * N / (Y == 1).sum(axis=0), 0.5 * N / (Y == 0).sum(axis=0))
    one = BlockSparseClassifier(0.02, class_weight="balanced", **TIGHT).fit(X, Y)
    same(one, BlockSparseClassifier(0.02, **TIGHT).fit(X, Y, sample_weight=w))


def test_classifier_is_regressor_with_a_logistic_loss():
    X, Y = data(loss="logistic")
    labels = np.array(["no", "yes"], dtype=object)[Y.astype(int)]
    one = BlockSparseClassifier(0.02, **TIGHT).fit(X, labels)
    other = BlockSparseRegressor(0.02, loss="logistic", **TIGHT).fit(X, Y)
    same(one, other)
    assert_allclose(np.stack([p[:, 1] for p in one.predict_proba(X)], axis=1), other.predict(X), rtol=1e-9)
    assert_array_equal(one.predict(X) == "yes", other.predict(X) > 0.5)


def test_one_vs_rest_is_one_task_a_class():
    X, Y = data()
    y = np.digitize(Y[:, 0], [-1.0, 1.0])
    one = MultiTaskClassifier(L1(0.02), multi_class="ovr", **TIGHT).fit(X, y)
    other = MultiTaskClassifier(L1(0.02), **TIGHT).fit(X, (y[:, None] == np.arange(3)).astype(int))
    assert_allclose(one.coef_, other.coef_, atol=1e-5)


@pytest.mark.parametrize("door", ["shared", "stacked"])
def test_a_task_of_one_class_takes_no_part(door):
    X, Y = data(loss="logistic")
    Y[:, 1] = 1.0
    X_all, y_all, X_rest, y_rest, parameters = X, Y, X, Y[:, [0, 2]], {}
    if door == "stacked":
        (X_all, y_all), (X_rest, y_rest), parameters = melt(X, Y), melt(X, y_rest), {"task_feature": -1}
    model = BlockSparseClassifier(0.02, single_class="constant", **parameters, **TIGHT)
    with pytest.warns(UserWarning, match="Task 1 has only one class, 1"):
        model.fit(X_all, y_all)
    rest = BlockSparseClassifier(0.02, **parameters, **TIGHT).fit(X_rest, y_rest)
    assert model.objective_ == pytest.approx(rest.objective_, rel=1e-9)
    assert not model.coef_[1].any()
    assert_allclose(model.coef_[[0, 2]], rest.coef_, atol=1e-5)
    predicted = model.predict(X_all)
    assert (predicted[:, 1] if door == "shared" else predicted[X_all[:, -1] == 1] == 1).all()


@pytest.mark.parametrize("door", ["shared", "stacked"])
def test_losses_by_name_and_by_order(door):
    X, Y = data()
    Y[:, 1] = Y[:, 1] > 0
    losses, parameters = ["squared", "logistic", "huber"], {}
    if door == "stacked":
        X, Y = melt(X, Y)
        parameters = {"task_feature": -1}
    one = MultiTaskRegressor(L21(0.05), loss=losses, **parameters, **TIGHT).fit(X, Y)
    same(one, MultiTaskRegressor(L21(0.05), loss=dict(enumerate(losses)), **parameters, **TIGHT).fit(X, Y))


# -- penalties --


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("part", ["b", "s"])
def test_a_split_with_one_part_too_expensive(loss, part):
    X, Y = data(loss=loss)
    costs = {"b": 1.0, "s": 1.0} | {part: 1e6}
    parts = {"b": L21(costs["b"]), "s": L1(costs["s"])}
    split = MultiTaskRegressor(InfimalConvolution(list(parts.items()), alpha=0.05), loss=loss, **TIGHT).fit(X, Y)
    kept = "s" if part == "b" else "b"
    plain = MultiTaskRegressor(parts[kept].with_alpha(0.05), loss=loss, **TIGHT).fit(X, Y)
    same(split, plain)
    assert not split.components_[part].any()
    assert_array_equal(split.components_[kept], split.coef_)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BlockSparseRegressor(0.2, q=2.0), MultiTaskRegressor(L21(0.2))),
        (BlockSparseRegressor(0.2, q=np.inf, alpha_ridge=0.1), MultiTaskRegressor(L1Linf(0.2, alpha_ridge=0.1))),
        (BlockSparseRegressor(0.2, entry_ratio=1.0), MultiTaskRegressor(L1(0.2))),
        (BlockSparseRegressor(0.2, q=3.0), MultiTaskRegressor(L1Lq(0.2, q=3.0))),
        (BlockSparseRegressor(0.2, entry_ratio=0.5), MultiTaskRegressor(Chain([L1(0.5), L21(0.5)], alpha=0.2))),
        (MultiTaskRegressor(), MultiTaskRegressor(L21(1.0))),
    ],
)
def test_names_of_the_same_penalty(one, other):
    X, Y = data()
    same(one.set_params(**TIGHT).fit(X, Y), other.set_params(**TIGHT).fit(X, Y))


@pytest.mark.parametrize("solver", ["fista", "working_set", "coordinate_descent", "prox_newton"])
def test_solvers_agree(solver):
    X, Y = data()
    model = MultiTaskRegressor(SparseGroup(0.1, entry_ratio=0.3), **TIGHT)
    same(fitted(model, X, missing(Y)), fitted(model, X, missing(Y), solver=solver))
