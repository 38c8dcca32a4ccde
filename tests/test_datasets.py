"""The generators: reproducible, of the promised structure, and with the promised distribution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mtlreg import datasets
from mtlreg.data import split_task_column
from mtlreg.datasets import (
    make_block_sparse,
    make_clustered,
    make_dirty,
    make_low_rank,
    make_task_relation,
    make_temporal,
)

GENERATORS = [getattr(datasets, name) for name in datasets.__all__]
every_generator = pytest.mark.parametrize("make", GENERATORS, ids=lambda make: make.__name__)
every_type = pytest.mark.parametrize("task_type", ["regression", "classification", "count"])


def predictors(data):
    """eta of the data, from what is in the bunch."""
    if data.task_feature is None:
        return data.X @ data.coef.T + data.intercept
    X, tasks, _ = split_task_column(data.X, data.task_feature)
    return np.sum(X * data.coef[tasks], axis=1) + data.intercept[tasks]


@every_generator
@every_type
@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_shapes_and_seeds(make, task_type, layout):
    options = {"task_type": task_type, "layout": layout}
    data = make(20, 40, 4, random_state=0, **options)
    n_rows = 20 if layout == "shared" else 80
    assert data.X.shape == (n_rows, 40 + (layout == "stacked"))
    assert data.y.shape == ((20, 4) if layout == "shared" else (80,))
    assert data.coef.shape == (4, 40)
    assert data.intercept.shape == (4,)
    assert data.y.dtype == (np.float64 if task_type == "regression" else np.int64)
    again = make(20, 40, 4, random_state=np.random.RandomState(0), **options)
    for key, value in data.items():
        assert_array_equal(again[key], value)
    assert not np.array_equal(make(20, 40, 4, random_state=1, **options).X, data.X)


@every_generator
def test_the_layouts_have_the_same_coefficients(make):
    shared = make(20, 40, 4, random_state=3)
    stacked = make([5, 6, 7, 8], 40, 4, random_state=3, layout="stacked")
    assert_array_equal(stacked.coef, shared.coef)
    assert_array_equal(stacked.intercept, shared.intercept)
    assert stacked.noise == shared.noise
    assert shared.task_feature is None
    assert_array_equal(shared.tasks, [0, 1, 2, 3])
    assert_array_equal(stacked.tasks, np.repeat([0, 1, 2, 3], [5, 6, 7, 8]))
    assert_array_equal(split_task_column(stacked.X, stacked.task_feature)[1], stacked.tasks)


@every_generator
def test_labels_without_noise_follow_the_predictor(make):
    for layout in ("shared", "stacked"):
        options = {"noise": 0.0, "layout": layout, "correlation": 0.4, "random_state": 0}
        data = make(10, 40, 4, **options)
        assert_allclose(data.y, predictors(data), rtol=1e-10, atol=1e-10)
        data = make(10, 40, 4, task_type="classification", **options)
        assert_array_equal(data.y, predictors(data) > 0)


@every_generator
def test_default_noise_gives_an_r2_of_nine_tenths(make):
    data = make(4000, 40, 4, correlation=0.5, random_state=0)
    eta = predictors(data)
    assert_allclose(np.std(data.y - eta), data.noise, rtol=0.03)
    assert_allclose(data.noise**2 / (np.mean(np.var(eta, axis=0)) + data.noise**2), 0.1, atol=0.005)


def test_features_are_autoregressive():
    X = make_block_sparse(40000, 6, correlation=-0.6, random_state=0).X
    lag = np.abs(np.arange(6)[:, None] - np.arange(6))
    assert_allclose(np.cov(X.T), (-0.6) ** lag, atol=0.02)


def test_classification_is_logistic_in_the_scaled_predictor():
    data = make_block_sparse(60000, n_tasks=1, task_type="classification", noise=0.7, random_state=1)
    probability = 1 / (1 + np.exp(-predictors(data) / 0.7))
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (low < probability) & (probability < low + 0.2)
        assert_allclose(data.y[inside].mean(), probability[inside].mean(), atol=0.02)


@every_generator
def test_counts_are_poisson_with_moderate_rates(make):
    data = make(3000, 40, 4, task_type="count", intercept_scale=0.0, random_state=0)
    eta = predictors(data)
    assert data.noise == 0.0
    assert_allclose(np.std(eta, axis=0).max(), 1.0, rtol=0.08)
    rate = np.exp(eta)
    assert_allclose(data.y.mean(axis=0), rate.mean(axis=0), rtol=0.1)
    assert_allclose(np.mean((data.y - rate) ** 2 / rate), 1.0, rtol=0.1)  # variance = mean
    assert_allclose(make(30, 40, 4, random_state=0).coef * data.scale, data.coef)


@every_generator
@every_type
def test_missing_labels(make, task_type):
    data = make(20, 40, 4, missing=0.33, task_type=task_type, random_state=0)
    assert_array_equal(np.isnan(data.y).sum(axis=0), [6, 6, 6, 6])
    assert len(set(map(tuple, np.isnan(data.y).T))) > 1
    complete = make(20, 40, 4, task_type=task_type, random_state=0)
    assert_array_equal(data.y[~np.isnan(data.y)], complete.y[~np.isnan(data.y)])
    assert np.isfinite(make(2, 40, 4, missing=0.99, random_state=0).y).any(axis=0).all()


def test_block_sparse_and_temporal_share_their_support():
    for make in (make_block_sparse, make_temporal):
        data = make(n_informative=4, random_state=0)
        used = data.coef != 0
        assert used.sum(axis=1).tolist() == [4] * len(data.coef)
        assert_array_equal(np.flatnonzero(used.any(axis=0)), data.support)


def test_temporal_is_a_random_walk():
    steps = np.diff(make_temporal(2, 5000, 6, 5000, step=0.3, random_state=0).coef, axis=0)
    assert_allclose(steps.std(axis=1), 0.3, rtol=0.05)
    assert_allclose(np.corrcoef(steps), np.eye(5), atol=0.06)


@pytest.mark.parametrize(("overlap", "n_shared"), [(0.0, 0), (0.5, 3), (1.0, 6)])
def test_dirty_overlap(overlap, n_shared):
    data = make_dirty(overlap=overlap, random_state=0)
    assert_array_equal(data.coef, data.shared + data.specific)
    assert ((data.shared != 0).sum(axis=1) == n_shared).all()
    assert ((data.shared != 0).any(axis=0)).sum() == n_shared
    assert ((data.specific != 0).sum(axis=1) == 6 - n_shared).all()
    assert (data.specific != 0).sum(axis=0).max() <= 1
    assert not ((data.shared != 0).any(axis=0) & (data.specific != 0).any(axis=0)).any()


def test_low_rank():
    data = make_low_rank(rank=3, random_state=0)
    assert np.linalg.matrix_rank(data.coef) == 3
    assert_allclose(data.loadings @ data.patterns, data.coef)
    data = make_low_rank(rank=2, task_type="count", random_state=0)
    assert_allclose(data.loadings @ data.patterns, data.coef)


@pytest.mark.parametrize("disjoint", [False, True])
def test_clusters(disjoint):
    data = make_clustered(10, 300, 8, 3, spread=0.1, disjoint=disjoint, random_state=0)
    assert_array_equal(data.clusters, [0, 0, 0, 1, 1, 1, 2, 2])
    deviations = (data.coef - data.centers[data.clusters])[data.coef != 0]
    assert_allclose(deviations.std(), 0.1, rtol=0.1)
    used = data.centers != 0
    assert used.sum(axis=0).tolist() == [1 if disjoint else 3] * 300
    if disjoint:
        assert_array_equal(data.coef != 0, used[data.clusters])
        assert_allclose(data.centers @ data.centers.T, np.diag(np.sum(data.centers**2, axis=1)))


def test_task_relation():
    covariance = np.array([[2.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    data = make_task_relation(2, 20000, 3, covariance, random_state=0)
    assert_allclose(np.cov(data.coef), covariance, atol=0.05)
    assert_array_equal(data.covariance, covariance)
    data = make_task_relation(2, 20000, 4, random_state=0)
    assert_allclose(np.diag(data.covariance), 1.0)
    assert_allclose(np.cov(data.coef), data.covariance, atol=0.05)
    scaled = make_task_relation(2, 20000, 4, task_type="count", random_state=0)
    assert_allclose(np.cov(scaled.coef), scaled.covariance, atol=0.05 * scaled.scale**2)


@every_generator
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_tasks": 0}, ValueError, "n_tasks == 0, must be >= 1"),
        ({"n_features": 2.5}, TypeError, "n_features must be an instance of int"),
        ({"n_samples": 0}, ValueError, "n_samples must be positive integers, got 0"),
        ({"n_samples": [5, 5]}, ValueError, "a list is for layout='stacked'"),
        ({"n_samples": [5], "layout": "stacked"}, ValueError, "n_samples has 1 entries for n_tasks="),
        ({"layout": "long"}, ValueError, "layout must be 'shared' or 'stacked', got 'long'"),
        ({"task_type": "binary"}, ValueError, "task_type must be one of 'regression', 'classification'"),
        ({"missing": 1.0}, ValueError, "missing == 1.0, must be < 1.0"),
        ({"missing": 0.1, "layout": "stacked"}, ValueError, "missing is for layout='shared'"),
        ({"correlation": 1.0}, ValueError, "correlation == 1.0, must be < 1"),
        ({"noise": -1.0}, ValueError, "noise == -1.0, must be >= 0"),
        ({"intercept_scale": -1.0}, ValueError, "intercept_scale == -1.0, must be >= 0"),
    ],
)
def test_common_parameters_are_checked(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (make_block_sparse, {"n_informative": 31}, "n_informative == 31, must be <= 30"),
        (make_temporal, {"n_informative": 0}, "n_informative == 0, must be >= 1"),
        (make_temporal, {"step": -0.1}, "step == -0.1"),
        (make_dirty, {"overlap": 1.1}, "overlap == 1.1, must be <= 1"),
        (make_dirty, {"overlap": 0.0, "n_features": 23}, "each need 24 features, but n_features=23"),
        (make_low_rank, {"rank": 9}, "rank == 9, must be <= 8"),
        (make_clustered, {"n_clusters": 10}, "n_clusters == 10, must be <= 9"),
        (make_clustered, {"n_features": 2, "disjoint": True}, "n_clusters == 3, must be <= 2"),
        (make_clustered, {"spread": -1.0}, "spread == -1.0"),
        (make_task_relation, {"covariance": np.eye(4)}, r"symmetric \(5, 5\) matrix"),
        (make_task_relation, {"covariance": np.triu(np.ones((5, 5)))}, "symmetric"),
        (make_task_relation, {"covariance": np.diag([1.0, 1, 1, 1, -1])}, "negative eigenvalue -1"),
    ],
)
def test_own_parameters_are_checked(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
