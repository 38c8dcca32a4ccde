"""Penalties on singular values: equal models, compounds, ranks, the range of strengths, bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import Reference
from scipy.optimize import minimize
from sklearn.model_selection import GridSearchCV

from mtlreg import (
    L1,
    L21,
    ClusterNorm,
    InfimalConvolution,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TraceBall,
    TraceNorm,
    Transposed,
)
from mtlreg.datasets import make_low_rank

TIGHT = {"tol": 1e-13, "max_iter": 100_000}


def low_rank(n=60, p=12, T=6, rank=2, seed=0, **parameters):
    data = make_low_rank(n, p, T, rank, noise=1.0, random_state=seed, **parameters)
    return data.X, data.y


def trace_norm(coef):
    return np.linalg.norm(coef, "nuc")


def values(penalty, W):
    """Everything a penalty says of W."""
    return penalty.value(W), penalty.prox(W, 0.7), penalty.conjugate(W), penalty.feasible_scale(W)


def assert_equal_penalties(one, other, shapes=((6, 4), (4, 6), (5, 1)), rtol=1e-12, seed=0):
    for shape in shapes:
        W = np.random.default_rng(seed).standard_normal(shape)
        for a, b in zip(values(one, W), values(other, W), strict=True):
            assert_allclose(a, b, rtol=rtol, atol=rtol)


# -- ends and images of one in the other --


@pytest.mark.parametrize("h", [0.1, 1.0, 7.0])
def test_as_many_clusters_as_singular_values_is_a_ridge(h):
    ridge = L1(0.0, alpha_ridge=2 * 0.3 * h)
    assert_equal_penalties(SpectralBoxNorm(0.3, n_clusters=6, shape=h), ridge)
    assert_equal_penalties(SpectralBoxNorm(0.3, n_clusters=1, shape=h), ridge, shapes=[(5, 1), (1, 5)])


def test_large_shape_is_a_ridge():
    h = 1e8
    assert_equal_penalties(SpectralBoxNorm(0.3 / h, n_clusters=2, shape=h), L1(0.0, alpha_ridge=0.6), rtol=1e-6)


def test_one_cluster_at_small_shape_is_the_squared_trace_norm():
    h = 1e-10
    assert_equal_penalties(SpectralBoxNorm(0.3 / h, n_clusters=1, shape=h), SquaredTraceNorm(0.6), rtol=1e-6)


def test_clusters_of_tasks_are_clusters_of_features():
    for k in (1, 2, 3):
        penalty = SpectralBoxNorm(0.3, n_clusters=k, shape=0.2, alpha_ridge=0.1)
        assert_equal_penalties(penalty, Transposed(penalty))


def test_cluster_norm_of_centred_coefficients_is_the_box_norm():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((7, 5))
    W -= W.mean(axis=1, keepdims=True)
    cluster = ClusterNorm(2.0, n_clusters=3, eps_mean=1.0, eps_between=0.2, eps_within=0.7)
    box = SpectralBoxNorm(2.0 * 0.5, n_clusters=2, shape=0.2 / 0.5)
    for one, other in zip(values(cluster, W), values(box, W), strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    mean = np.tile(rng.standard_normal((7, 1)), 5)
    assert_allclose(cluster.value(mean), 2.0 * np.sum(mean**2), rtol=1e-13)
    assert_allclose(cluster.prox(mean, 0.5), mean / 3, rtol=1e-13)
    assert_allclose(cluster.value(W + mean), cluster.value(W) + cluster.value(mean), rtol=1e-13)


def test_cluster_norm_is_a_relaxation():
    """Of the clusterings of the tasks: below Jacob's cost of any of them."""
    rng = np.random.default_rng(0)
    eps_mean, between, within = 0.1, 0.3, 2.0
    penalty = ClusterNorm(1.0, n_clusters=2, eps_mean=eps_mean, eps_between=between, eps_within=within)
    for _ in range(20):
        W, groups = rng.standard_normal((4, 6)), np.append([0, 1], rng.integers(0, 2, 4))
        mean = W.mean(axis=1)
        cost = eps_mean * 6 * np.sum(mean**2)
        for c in (0, 1):
            centre = W[:, groups == c].mean(axis=1)
            cost += between * np.sum(groups == c) * np.sum((centre - mean) ** 2)
            cost += within * np.sum((W[:, groups == c] - centre[:, None]) ** 2)
        assert penalty.value(W) <= cost * (1 + 1e-12)


@pytest.mark.parametrize(
    "penalty",
    [
        SpectralBoxNorm(0.4, n_clusters=2, shape=0.3),
        SpectralBoxNorm(0.4, n_clusters=1, shape=2.0, alpha_ridge=0.3),
        ClusterNorm(0.4, n_clusters=2, eps_mean=0.3, eps_between=0.2),
    ],
    ids=lambda penalty: " ".join(repr(penalty).split()),
)
def test_conjugate_is_a_supremum(penalty):
    """Against a search over W that knows only the value, from several starts."""
    V = np.random.default_rng(1).standard_normal((4, 3))

    def descend(w):
        return penalty.value(w.reshape(V.shape)) - np.sum(V.ravel() * w)

    best = -min(minimize(descend, s * V.ravel(), method="BFGS", options={"gtol": 1e-9}).fun for s in (0.3, 1.0, 3.0))
    assert best <= penalty.conjugate(V) * (1 + 1e-12)
    assert best == pytest.approx(penalty.conjugate(V), rel=1e-6)


# -- models --


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("classes", [False, True], ids=["squared", "logistic"])
def test_path_of_the_squared_trace_norm_is_that_of_the_trace_norm(classes, ridge):
    X, Y = low_rank()
    Y = (Y > 0).astype(float) if classes else Y
    model = MultiTaskRegressor(TraceNorm(alpha_ridge=ridge), loss="logistic" if classes else "squared", **TIGHT)
    for alpha in model.path_alphas(X, Y, 5, eps=0.02)[1:]:
        plain = model.set_params(penalty=TraceNorm(alpha, ridge)).fit(X, Y).coef_.copy()
        squared = SquaredTraceNorm(alpha / trace_norm(plain), ridge)
        assert_allclose(model.set_params(penalty=squared).fit(X, Y).coef_, plain, atol=1e-6)


@pytest.mark.parametrize("door", ["shared", "stacked"])
def test_ranks_are_exact(door):
    X, Y = low_rank(n=40 if door == "shared" else [40, 30, 35, 50, 45, 30], layout=door)
    model = MultiTaskRegressor(TraceNorm(), task_feature=None if door == "shared" else -1, tol=1e-10)
    top = model.alpha_max(X, Y)
    for penalty in (TraceNorm(0.3 * top), SquaredTraceNorm(0.01 * top)):
        s = np.linalg.svd(model.set_params(penalty=penalty).fit(X, Y).coef_, compute_uv=False)
        rank = np.sum(s > 1e-6 * s[0])
        assert 1 <= rank < 6
        assert (s[rank:] <= 1e-14 * s[0]).all()
    model.set_params(penalty=TraceBall(0.5 * s.sum())).fit(X, Y)
    assert trace_norm(model.coef_) == pytest.approx(0.5 * s.sum(), rel=1e-12)


RATIO = 0.4
COMPOUNDS = {
    "robust low rank": [("low_rank", TraceNorm(1 - RATIO)), ("outlier", Transposed(L21(RATIO)))],
    "robust features": [("shared", L21(1 - RATIO)), ("outlier", Transposed(L21(RATIO)))],
    "sparse + low rank": [("sparse", L1(RATIO)), ("low_rank", TraceNorm(1 - RATIO))],
    "sparse + ball": [("sparse", L1()), ("low_rank", TraceBall(0.8))],
    "sparse + clusters": [("sparse", L1()), ("clusters", ClusterNorm(0.05))],
}


@pytest.mark.parametrize("name", COMPOUNDS)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("door", ["shared", "stacked"])
def test_compounds_against_cvxpy(name, loss, door):
    penalty = InfimalConvolution(COMPOUNDS[name])
    X, Y = low_rank(30 if door == "shared" else [25, 20, 30, 25], 6, 4, 1, layout=door)
    parameters = {"task_feature": -1} if door == "stacked" else {}
    Y = (Y > 0).astype(float) if loss == "logistic" else Y
    model = MultiTaskRegressor(penalty, loss=loss, tol=1e-11, max_iter=100_000, **parameters)
    high = model.path_alphas(X, Y, 1)[0]
    for share in (0.3, 0.1):
        model.set_params(penalty=penalty.with_alpha(share * high)).fit(X, Y)
        reference = Reference(model, X, Y)
        scale = model.history_["objective"][0]
        assert model.dual_gap_ <= 1e-11 * scale
        assert reference.of(model) == pytest.approx(model.objective_, rel=1e-12)
        assert model.objective_ == pytest.approx(reference.optimum(), abs=1e-8 * scale)
        assert set(model.components_) == set(dict(COMPOUNDS[name]))


def test_parts_find_what_they_are_for():
    data = make_low_rank(200, 12, 8, 1, noise=0.3, random_state=0)
    outlier = 5
    data.y[:, outlier] = data.X @ (5 * np.random.default_rng(1).standard_normal(12))
    parts = [("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))]
    model = MultiTaskRegressor(InfimalConvolution(parts))
    top = model.alpha_max(data.X, data.y)
    model.set_params(penalty__alpha=0.05 * top).fit(data.X, data.y)
    assert np.flatnonzero(model.components_["outlier"].any(axis=1)).tolist() == [outlier]
    assert np.linalg.matrix_rank(model.components_["low_rank"], tol=1e-8) < 8


# -- strengths --


@pytest.mark.parametrize("noise_only", [False, True])
def test_range_of_the_squared_trace_norm_is_the_image_of_the_trace_norms(noise_only):
    X, Y = low_rank()
    if noise_only:
        Y = 5.0 + 1e-3 * np.random.default_rng(0).standard_normal(Y.shape)
    trace, squared = MultiTaskRegressor(TraceNorm(), **TIGHT), MultiTaskRegressor(SquaredTraceNorm(), **TIGHT)
    top = trace.alpha_max(X, Y)
    high, low = squared.path_alphas(X, Y, 2, eps=0.01)
    for share, alpha, factor in ((0.95, high, 1.5), (0.01, low, 2.0)):
        size = trace_norm(trace.set_params(penalty=TraceNorm(share * top)).fit(X, Y).coef_)
        assert 1 / factor <= alpha / (share * top / size) <= factor


@pytest.mark.parametrize("penalty", [SpectralBoxNorm(shape=0.05), SpectralBoxNorm(), ClusterNorm()])
def test_range_spans_nothing_to_everything(penalty):
    X, Y = low_rank()
    free = MultiTaskRegressor(L1(0.0)).fit(X, Y).coef_
    path = MultiTaskRegressor(penalty, tol=1e-8).path(X, Y, 5, eps=1e-3)
    assert path.converged.all()
    assert np.linalg.norm(path.coefs[0]) <= 0.15 * np.linalg.norm(free)
    assert np.linalg.norm(path.coefs[-1] - free) <= 0.01 * np.linalg.norm(free)


def test_range_of_a_compound():
    X, Y = low_rank()

    def ends(penalty):
        return MultiTaskRegressor(penalty).path_alphas(X, Y, 2, eps=0.01)

    ball = InfimalConvolution([("sparse", L1(0.5)), ("low_rank", TraceBall(5.0))])
    assert_allclose(ends(ball), 2 * ends(L1()))
    mixed = InfimalConvolution([("sparse", L1(0.5)), ("low_rank", SquaredTraceNorm(0.1))])
    assert_allclose(ends(mixed), max(2 * ends(L1()), 10 * ends(SquaredTraceNorm()), key=max))
    for penalty in (TraceBall(), InfimalConvolution([("a", TraceBall(1.0)), ("b", TraceBall(2.0))])):
        with pytest.raises(NotImplementedError, match="search over radius"):
            ends(penalty)
    for penalty in (TraceBall(), ball):
        with pytest.raises(NotImplementedError, match="no alpha makes W = 0 optimal"):
            MultiTaskRegressor(penalty).alpha_max(X, Y)
    for penalty in (SquaredTraceNorm(), SpectralBoxNorm(), ClusterNorm(), mixed):
        with pytest.raises(NotImplementedError, match="no alpha_max: it shrinks, but never to zero"):
            MultiTaskRegressor(penalty).alpha_max(X, Y)


SEARCHED = [
    *(TraceNorm(), SquaredTraceNorm(), SpectralBoxNorm(), ClusterNorm()),
    InfimalConvolution([("sparse", L1()), ("low_rank", TraceBall(5.0))]),
]


@pytest.mark.parametrize("penalty", SEARCHED, ids=lambda penalty: type(penalty).__name__)
def test_searches(penalty):
    X, Y = low_rank(p=8, T=4)
    search = PathSearchCV(MultiTaskRegressor(penalty, tol=1e-4), alphas=5, eps=0.02, cv=3).fit(X, Y)
    assert search.best_score_ > 0.5
    assert search.best_estimator_.converged_
    classifier = PathSearchCV(MultiTaskClassifier(penalty, tol=1e-4), alphas=3, eps=0.1, cv=3).fit(
        X, (Y > 0).astype(int)
    )
    assert classifier.best_score_ > 0.6


def test_search_over_the_radius():
    X, Y = low_rank(p=8, T=4)
    grid = {"penalty__radius": [0.1, 10.0]}
    assert GridSearchCV(MultiTaskRegressor(TraceBall()), grid).fit(X, Y).best_params_ == {"penalty__radius": 10.0}


# -- edges --

SQUARED = [SquaredTraceNorm(0.3), SpectralBoxNorm(0.3, n_clusters=1), ClusterNorm(0.3, n_clusters=1), TraceBall(0.5)]


@pytest.mark.parametrize("penalty", SQUARED, ids=lambda penalty: type(penalty).__name__)
@pytest.mark.parametrize("shape", [(2, 1, 1), (5, 20, 3), (3, 40, 1), (20, 1, 4), (2, 5, 8)], ids=str)
def test_shapes(penalty, shape):
    n, p, T = shape
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, p)), rng.standard_normal((n, T))
    X[:, -1] = X[:, 0]
    for labels in (Y, np.where(rng.random(Y.shape) < 0.3, np.nan, Y) if n > 5 else Y):
        model = MultiTaskRegressor(penalty, tol=1e-10, max_iter=50_000).fit(X, labels)
        reference, scale = Reference(model, X, labels), model.history_["objective"][0]
        assert model.converged_
        assert reference.of(model) == pytest.approx(model.objective_, rel=1e-11)
        assert model.objective_ <= reference.optimum() + model.dual_gap_ + 1e-12 * scale


@pytest.mark.parametrize("penalty", SQUARED, ids=lambda penalty: type(penalty).__name__)
def test_labels_of_zero(penalty):
    X, Y = low_rank()
    model = MultiTaskRegressor(penalty, fit_intercept=False).fit(X, 0 * Y)
    assert not model.coef_.any()
    assert model.converged_
    if penalty.has_strength:
        assert not model.path(X, 0 * Y, alphas=3).coefs.any()
        assert np.isfinite(model.path_alphas(0 * X, Y, 3)).all()


def test_more_clusters_than_tasks():
    X, Y = low_rank(T=3)
    for cls in (SpectralBoxNorm, ClusterNorm):
        MultiTaskRegressor(cls(0.1, n_clusters=3)).fit(X, Y)
        with pytest.raises(ValueError, match=rf"{cls.__name__}\(n_clusters=4\).*3 columns.*give n_clusters <= 3"):
            MultiTaskRegressor(cls(0.1, n_clusters=4)).fit(X, Y)
        parts = InfimalConvolution([("sparse", L1(0.1)), ("clusters", cls(0.1, n_clusters=4))])
        with pytest.raises(ValueError, match="give n_clusters <= 3"):
            MultiTaskRegressor(parts).fit(X, Y)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("penalty", [TraceNorm(0.1), *SQUARED], ids=lambda penalty: type(penalty).__name__)
def test_numbers_too_large_are_named(penalty):
    X, Y = low_rank()
    with pytest.raises(ValueError, match="overflow"):
        MultiTaskRegressor(penalty).fit(1e200 * X, Y)
