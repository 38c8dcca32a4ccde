"""Named estimators of structured models: what they minimise, what is read off the solution, bad parameters."""

import inspect
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mtlreg
from mtlreg import (
    L1,
    L21,
    Chain,
    ClusteredClassifier,
    ClusteredRegressor,
    Coupled,
    DirtyRegressor,
    Graph,
    GraphRegressor,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    MeanRegularizedRegressor,
    MultiTaskRegressor,
    PathSearchCV,
    RobustLowRankRegressor,
    SpectralBoxNorm,
    TemporalClassifier,
    TemporalRegressor,
    TemporalSmooth,
    TotalVariation,
    TraceNorm,
    TraceNormClassifier,
    TraceNormRegressor,
    Transposed,
    estimators,
    melt,
    stack_tasks,
)

STRUCTURED = [name for name in estimators.__all__ if not name.startswith(("BlockSparse", "MultiTask"))]
N_TASKS = 5


def data(seed=0, n=60, p=8):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    W = rng.standard_normal((p, 1)) + 0.3 * rng.standard_normal((p, N_TASKS))
    return X, X @ W + rng.standard_normal((n, N_TASKS))


X, Y = data()
EDGES = [(0, 1, 1.0), (2, 3, -0.5)]

# the same model by its penalty
SAME = [
    (
        DirtyRegressor(0.1, ratio=0.5),
        InfimalConvolution([("shared", L1Linf(np.sqrt(N_TASKS))), ("specific", L1(1.0))], 0.1),
    ),
    (
        DirtyRegressor(0.1, ratio=0.3, q=2.0),
        InfimalConvolution([("shared", L21(N_TASKS**0.15)), ("specific", L1(1.0))], 0.1),
    ),
    (DirtyRegressor(0.1, ratio=0.0, q=3.0), L1Lq(0.1, q=3.0)),
    (DirtyRegressor(0.1, ratio=1.0), L1(0.1)),
    (TraceNormRegressor(0.3, alpha_ridge=0.1), TraceNorm(0.3, alpha_ridge=0.1)),
    (ClusteredRegressor(0.3, n_clusters=3, shape=0.5), SpectralBoxNorm(0.3, 3, 0.5)),
    (MeanRegularizedRegressor(0.5), MeanRegularized(0.5, 0.01)),
    (GraphRegressor(0.5, graph=EDGES, alpha_l1=0.05), Graph(EDGES, 0.5, 0.01, 0.05)),
    (TemporalRegressor(0.1, fused_ratio=0.0), L21(0.1)),
    (TemporalRegressor(0.1, fused_ratio=1.0), TotalVariation(0.1)),
    (
        TemporalRegressor(0.1, entry_ratio=0.2, fused_ratio=0.5, order=[4, 2, 0, 1, 3]),
        Chain([TotalVariation(0.5, order=[4, 2, 0, 1, 3]), L1(0.2), L21(0.3)], 0.1),
    ),
    (TemporalRegressor(0.1, fused_ratio=0.0, alpha_smooth=2.0), Coupled(L21(), TemporalSmooth(2.0), 0.1)),
    (
        RobustLowRankRegressor(0.2, ratio=0.4),
        InfimalConvolution([("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))], 0.2),
    ),
]


@pytest.mark.parametrize(("model", "penalty"), SAME, ids=lambda a: " ".join(repr(a).split()))
def test_named_models_are_their_penalties(model, penalty):
    one = clone(model).set_params(tol=1e-9).fit(X, Y)
    other = MultiTaskRegressor(penalty, tol=1e-9).fit(X, Y)
    scale = other.history_["objective"][0]
    assert one.converged_
    assert other.converged_
    assert one.objective_ == pytest.approx(other.objective_, abs=2e-9 * scale)
    assert_allclose(one.coef_, other.coef_, atol=2e-3 * np.abs(other.coef_).max())


@pytest.mark.parametrize("name", STRUCTURED)
def test_both_doors_paths_and_searches(name):
    cls = getattr(mtlreg, name)
    y = Y if is_regressor(cls()) else np.where(Y > 0, "yes", "no")
    rows, labels = melt(X, y)
    shared = cls(0.05, tol=1e-8).fit(X, y)
    stacked = cls(0.05, tol=1e-8, task_feature=-1).fit(rows, labels)
    assert stacked.objective_ == pytest.approx(shared.objective_, rel=1e-5)
    assert_allclose(stacked.coef_, shared.coef_, atol=0.01 * np.abs(shared.coef_).max())
    grid = cls().path_alphas(X, y, 4, eps=0.1)
    path = cls().path(X, y, grid[1:])
    assert path.converged.all()
    search = PathSearchCV(cls(task_feature=-1), alphas=grid[1:], cv=2).fit(rows, labels)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["alpha"] in grid


@pytest.mark.parametrize("name", STRUCTURED)
def test_documentation_names_every_parameter(name):
    doc = getattr(mtlreg, name).__doc__
    assert not re.search(r"{[a-z_]+}", doc), "a placeholder is left"
    for parameter in inspect.signature(getattr(mtlreg, name)).parameters:
        assert f"\n    {parameter} : " in doc, parameter


def test_a_grid_over_strength_and_shape_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), DirtyRegressor(q=2.0))
    grid = {"dirtyregressor__alpha": [0.05, 0.3], "dirtyregressor__ratio": [0.3, 0.7]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert search.best_score_ > 0.5


# -- what is read off --


def test_dirty_has_two_parts():
    model = DirtyRegressor(0.3, q=2.0).fit(X, Y)
    assert list(model.components_) == ["shared", "specific"]
    assert_allclose(sum(model.components_.values()), model.coef_, atol=1e-12)


def low_rank(seed=0, n=100, p=12, n_tasks=10, rank=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    W = rng.standard_normal((p, rank)) @ rng.standard_normal((rank, n_tasks))
    return X, X @ W + 0.1 * rng.standard_normal((n, n_tasks)), W


def test_rank_is_of_what_the_penalty_sees():
    X, Y, _ = low_rank()
    scales = np.random.default_rng(0).uniform(0.5, 2.0, (10, 12))
    blocks = [X * scale for scale in scales]  # so that no two tasks have the same unit
    rows, labels = stack_tasks(blocks, list(Y.T))
    for cls in (TraceNormRegressor, RobustLowRankRegressor):
        plain, stacked = cls(0.3, standardize="per_task"), cls(0.3, standardize="per_task", task_feature=-1)
        assert stacked.fit(rows, labels).rank_ == plain.fit(X, Y).rank_ < 10
        assert np.linalg.matrix_rank(stacked.coef_, tol=1e-3) == 10
    # features without a price do not count
    free = TraceNormRegressor(0.3, feature_weights=[0.0] * 4 + [1.0] * 8).fit(X, Y)
    assert free.rank_ == 2 < np.linalg.matrix_rank(free.coef_)
    assert TraceNormRegressor(0.0).fit(X, Y).rank_ == 10


def test_rank():
    X, Y, _ = low_rank()
    assert TraceNormRegressor(0.3, standardize=True).fit(X, Y).rank_ == 2
    assert TraceNormRegressor(1e3).fit(X, Y).rank_ == 0
    assert isinstance(TraceNormClassifier(0.01).fit(X, (Y > 0).astype(int)).rank_, int)


def test_outlier_tasks_are_named():
    X, Y, _ = low_rank()
    rng = np.random.default_rng(1)
    Y[:, [3, 7]] = X @ (3 * rng.standard_normal((12, 2))) + 0.1 * rng.standard_normal((100, 2))
    model = RobustLowRankRegressor(0.6, ratio=0.48).fit(X, Y)
    assert model.outlier_tasks_ == [3, 7]
    assert model.rank_ < 4
    assert list(model.components_) == ["low_rank", "outlier"]


def test_clusters_are_labelled():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 9))
    centres = np.kron(np.eye(3), np.ones((3, 1))) * 2
    truth = np.repeat([0, 1, 2], 3)
    Y = X @ (centres[:, truth] + 0.05 * rng.standard_normal((9, 9))) + 0.3 * rng.standard_normal((80, 9))
    model = ClusteredRegressor(0.1, n_clusters=3).fit(X, Y)
    same = model.task_labels_[:, None] == model.task_labels_
    assert_array_equal(same, truth[:, None] == truth)
    assert_array_equal(model.task_labels_, clone(model).fit(X, Y).task_labels_)


def test_there_are_no_more_clusters_than_tasks():
    y = np.random.default_rng(0).integers(3, size=(60, 2))
    labels = ClusteredClassifier(0.01, n_clusters=6).fit(X, y).task_labels_
    assert set(labels) == {0, 1}


def test_box_norms_have_the_default_shape_of_clusters():
    assert SpectralBoxNorm().shape == ClusteredRegressor().shape == ClusteredClassifier().shape


def test_clusters_of_equal_tasks_and_of_one():
    assert len(ClusteredRegressor(1e6).fit(X, Y).task_labels_) == N_TASKS
    assert ClusteredRegressor(0.1).fit(X, Y[:, 0]).task_labels_.tolist() == [0]


def test_time_is_piecewise_constant():
    model = TemporalRegressor(0.5, fused_ratio=0.9).fit(X, Y)
    steps = np.diff(model.coef_, axis=0)
    assert (np.abs(steps) < 1e-12).mean() > 0.3


# -- bad parameters --


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (DirtyRegressor(ratio=1.5), "ratio must be in"),
        (DirtyRegressor(q=0.5), "q must be in"),
        (DirtyRegressor(0.0), r"Dirty\(alpha=0\)"),
        (ClusteredRegressor(n_clusters=6), "n_clusters=6.*5 columns.*give n_clusters <= 5"),
        (ClusteredRegressor(shape=0.0), "shape"),
        (RobustLowRankRegressor(alpha=0.0), r"RobustLowRankRegressor\(alpha=0.0\): alpha must be"),
        (TemporalRegressor(alpha=0.0, alpha_smooth=1.0), r"TemporalRegressor\(alpha=0.0, .*: alpha must be > 0"),
        (TemporalRegressor(alpha=-1.0), r"TemporalRegressor\(alpha=-1.0\): alpha must be"),
        (TemporalRegressor(alpha_ridge=-1.0), r"TemporalRegressor\(alpha_ridge=-1.0\): alpha_ridge must be"),
        (RobustLowRankRegressor(ratio=0), r"RobustLowRankRegressor\(ratio=0\): ratio must be in \(0, 1\)"),
        (RobustLowRankRegressor(ratio=1.0), r"RobustLowRankRegressor\(ratio=1.0\): ratio must be in \(0, 1\)"),
        (TemporalRegressor(fused_ratio=-0.1), r"TemporalRegressor\(fused_ratio=-0.1\): fused_ratio must be in"),
        (TemporalRegressor(entry_ratio=0.7, fused_ratio=0.7), "together at most 1"),
        (TemporalRegressor(order=[0, 1]), "order=.*leaves out task 2"),
        (TemporalClassifier(alpha_smooth=-1.0), r"TemporalClassifier\(alpha_smooth=-1.0\): alpha_smooth must be"),
        (GraphRegressor(graph=np.ones((2, 3))), "graph must be square"),
        (GraphRegressor(graph=[("a", "b", 1.0)]), "graph names none of the tasks"),
        (MeanRegularizedRegressor(alpha_ridge=-1.0), "alpha_ridge"),
    ],
)
def test_bad_parameters(model, message):
    y = Y if is_regressor(model) else (Y > 0).astype(int)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize("value", ["a", None, True])
@pytest.mark.parametrize(
    ("cls", "parameter"),
    [
        (TemporalRegressor, "entry_ratio"),
        (TemporalRegressor, "fused_ratio"),
        (TemporalRegressor, "alpha_smooth"),
        (RobustLowRankRegressor, "ratio"),
        (RobustLowRankRegressor, "alpha"),
    ],
)
def test_parameters_that_are_no_numbers(cls, parameter, value):
    with pytest.raises(TypeError, match=rf"{cls.__name__}\({parameter}={value!r}\): {parameter} must be a number"):
        cls(**{parameter: value}).fit(X, Y)
