"""Estimators on arrays of another library, CuPy's and those of its stand-in. Arrays in, arrays of the kind out."""

import array_api_strict
import numpy as np
import pytest
from cuda import cupy_or_skip, has_gpu
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

import mtlreg
from mtlreg import (
    L1,
    L21,
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    BlockSparseClassifier,
    BlockSparseRegressor,
    CappedL1,
    Chain,
    ClusteredClassifier,
    ClusteredRegressor,
    ClusterNorm,
    Coupled,
    Dirty,
    DirtyClassifier,
    DirtyRegressor,
    FusedSqrt,
    Graph,
    GraphClassifier,
    GraphFused,
    GraphRegressor,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    MeanRegularizedClassifier,
    MeanRegularizedRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    RobustLowRankClassifier,
    RobustLowRankRegressor,
    RowWeighted,
    SharedLayerClassifier,
    SharedLayerRegressor,
    SparseGroup,
    SpectralBoxNorm,
    SqrtL1Fused,
    SquaredTraceNorm,
    TemporalClassifier,
    TemporalRegressor,
    TemporalSmooth,
    TotalVariation,
    TraceBall,
    TraceNorm,
    TraceNormClassifier,
    TraceNormRegressor,
    Transposed,
    TreeGroups,
)
from mtlreg.data import melt
from mtlreg.validation import to_host

N, P, T = 36, 20, 3  # too few rows for moments to stand for them
REGRESSORS = [
    BlockSparseRegressor(0.1),
    BlockSparseRegressor(0.1, q=np.inf, standardize=True),
    BlockSparseRegressor(0.1, feature_weights=[0, 1, 2, 1, *[np.inf] * 16]),
    BlockSparseRegressor(0.1, loss="huber"),
    BlockSparseRegressor(0.1, loss="calibrated"),
    DirtyRegressor(0.1),
    TraceNormRegressor(0.1),
    MeanRegularizedRegressor(0.1),
    GraphRegressor(0.1, graph=[(0, 1, 1.0), (1, 2, 1.0)]),
    TemporalRegressor(0.1),
    RobustLowRankRegressor(0.1),
    ClusteredRegressor(0.1, n_clusters=2),
    MultiTaskRegressor(L21(0.1, alpha_ridge=0.1)),
    SharedLayerRegressor((4,), random_state=0, max_iter=5),
    SharedLayerRegressor((4,), sharing="l2", head_sizes=(3,), random_state=0, max_iter=5),
]
CLASSIFIERS = [
    BlockSparseClassifier(0.05),
    TraceNormClassifier(0.05),
    MultiTaskClassifier(L1(0.05), loss="squared_hinge"),
    SharedLayerClassifier((4,), random_state=0, max_iter=5),
]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def gpu():
    return cupy_or_skip()


def data(kind="numbers", n=N):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, P))
    Y = X[:, :2] @ rng.standard_normal((2, T)) + 0.3 * rng.standard_normal((n, T))
    return X, Y if kind == "numbers" else np.digitize(Y, [-0.5, 0.5]) if kind == "three" else (Y > 0).astype(int)


def there_too(a):
    """Whether an array is not one of NumPy."""
    return not isinstance(a, np.ndarray)


def check(xp, model, X, y, methods):
    """The same with arrays of NumPy and of the stand-in."""
    X_there, y_there = xp.asarray(X), xp.asarray(y)
    before = np.array(X), np.array(y)
    here, there = clone(model).fit(X, y), clone(model).fit(X_there, y_there)
    for name in ("coef_", "intercept_"):
        if hasattr(here, name) and np.ndim(getattr(here, name)):
            assert there_too(getattr(there, name))
            np.testing.assert_allclose(to_host(getattr(there, name)), getattr(here, name), atol=2e-3)
    for method in methods:
        ours, theirs = getattr(here, method)(X), getattr(there, method)(X_there)
        for one, other in zip(*(a if isinstance(a, list) else [a] for a in (ours, theirs)), strict=True):
            assert there_too(other)
            np.testing.assert_allclose(to_host(other), one, atol=1e-2)
        host = getattr(there, method)(X)  # fitted elsewhere, data on the host
        assert not any(there_too(a) for a in (host if isinstance(host, list) else [host]))
    assert abs(there.score(X_there, y_there) - here.score(X, y)) < 1e-2
    np.testing.assert_array_equal(to_host(X_there), before[0])
    np.testing.assert_array_equal(to_host(y_there), before[1])


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
@pytest.mark.parametrize("door", ["shared", "column"])
def test_regressors(xp, model, door):
    X, Y = data()
    if door == "column":
        X, Y = melt(X, Y)
        model = clone(model).set_params(task_feature=-1)
    check(xp, model, X, Y, ["predict"])


@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("door", ["shared", "column"])
@pytest.mark.parametrize("kind", ["two", "three"])
def test_classifiers(xp, model, door, kind):
    X, Y = data(kind)
    if door == "column":
        X, Y = melt(X, Y)
        model = clone(model).set_params(task_feature=-1)
    methods = ["predict", "decision_function"] + ["predict_proba"] * hasattr(model, "predict_proba")
    check(xp, model, X, Y, methods)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_missing_labels_and_weights(xp, dtype):
    X, Y = data()
    Y[::4, 1] = np.nan
    weights = np.random.default_rng(1).uniform(0.5, 2, N)
    model = BlockSparseRegressor(0.1, tol=1e-5)
    here = clone(model).fit(X.astype(dtype), Y, weights)
    there = clone(model).fit(xp.asarray(X, dtype=getattr(xp, dtype)), xp.asarray(Y), sample_weight=xp.asarray(weights))
    assert there.coef_.dtype == getattr(xp, dtype)
    np.testing.assert_allclose(to_host(there.coef_), here.coef_, atol=5e-3)


def test_warm_start_path_and_search(xp):
    X, Y = data()
    X_there, Y_there = xp.asarray(X), xp.asarray(Y)
    model = BlockSparseRegressor(0.1, warm_start=True).fit(X_there, Y_there)
    again = model.fit(X_there, Y_there)
    assert again.n_iter_ <= 11 and there_too(again.coef_)
    many = clone(model).fit(xp.asarray(np.tile(X, (9, 1))), xp.asarray(np.tile(Y, (9, 1))))
    assert many.set_params(alpha=0.09).fit(xp.asarray(np.tile(X, (9, 1))), xp.asarray(np.tile(Y, (9, 1)))).converged_
    here, there = (model.path(A, B, 4) for A, B in ((X, Y), (X_there, Y_there)))
    np.testing.assert_allclose(there.coefs, here.coefs, atol=2e-3)
    assert model.alpha_max(X_there, Y_there) == pytest.approx(model.alpha_max(X, Y))
    searches = [PathSearchCV(BlockSparseRegressor(), alphas=5, cv=3).fit(A, B) for A, B in ((X, Y), (X_there, Y_there))]
    assert searches[1].best_params_ == pytest.approx(searches[0].best_params_)
    assert there_too(searches[1].predict(X_there))


@pytest.mark.parametrize("model", [*REGRESSORS[:3], *REGRESSORS[4:11]], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows(xp, model, weighted):
    """Their moments are formed where they are, and the rest is done on the host."""
    X, Y = data(n=400)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(X)) if weighted else None
    here = clone(model).fit(X, Y, weights)
    there = clone(model).fit(xp.asarray(X), xp.asarray(Y), weights)
    assert there_too(there.coef_)
    np.testing.assert_allclose(to_host(there.coef_), here.coef_, atol=1e-9)
    assert there.n_iter_ == here.n_iter_


def test_many_rows_and_more_tasks_than_features(xp):
    """Moments on the host, and labels in their span."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5))
    Y = X @ rng.standard_normal((5, 10)) + rng.standard_normal((400, 10))
    X_there, Y_there = xp.asarray(X), xp.asarray(Y)
    for model in (TraceNormRegressor(0.1, warm_start=True), BlockSparseRegressor(0.1, warm_start=True)):
        here, there = clone(model).fit(X, Y), clone(model).fit(X_there, Y_there)
        np.testing.assert_allclose(to_host(there.coef_), here.coef_, atol=1e-6)
        assert there_too(there.set_params(alpha=0.09).fit(X_there, Y_there).coef_)
        paths = [model.path(A, B, 4) for A, B in ((X, Y), (X_there, Y_there))]
        np.testing.assert_allclose(paths[1].coefs, paths[0].coefs, atol=1e-4)


def test_links_weights_and_callbacks(xp):
    X, Y = data(n=400)
    X_there, weights = xp.asarray(X), np.random.default_rng(1).uniform(0.5, 2, 400)
    counts = xp.asarray(np.exp(0.3 * Y).round())
    net = SharedLayerRegressor((4,), loss="poisson", random_state=0, max_iter=3).fit(X_there, counts)
    assert bool(xp.all(net.predict(X_there) > 0))
    settings = {"alphas": 3, "cv": 3}
    searches = [
        PathSearchCV(BlockSparseRegressor(), **settings).fit(A, B, sample_weight=w)
        for A, B, w in ((X, Y, weights), (X_there, xp.asarray(Y), xp.asarray(weights)))
    ]
    assert searches[1].best_params_ == pytest.approx(searches[0].best_params_)
    scaled = BlockSparseRegressor(0.1, feature_weights=xp.asarray(np.ones(P))).fit(X_there, xp.asarray(Y))
    assert there_too(scaled.coef_)
    calibrated = BlockSparseRegressor(0.1, loss="calibrated").fit(X_there, xp.asarray(Y))
    assert isinstance(calibrated.noise_scale_, type(calibrated.coef_))


def test_reading_a_model_fitted_elsewhere(xp):
    pytest.importorskip("pandas")
    X, Y = data()
    here, there = (BlockSparseRegressor(0.1).fit(A, B) for A, B in ((X, Y), (xp.asarray(X), xp.asarray(Y))))
    np.testing.assert_allclose(there.coef_frame(), here.coef_frame(), atol=2e-3)
    seen = [mtlreg.task_graph(A, B) for A, B in ((X, Y), (xp.asarray(X), xp.asarray(Y)))]
    assert [edge[:2] for edge in seen[0]] == [edge[:2] for edge in seen[1]]


def test_without_dispatch_arrays_become_numpys():
    X, Y = data()
    model = BlockSparseRegressor().fit(array_api_strict.asarray(X), array_api_strict.asarray(Y))
    assert not there_too(model.coef_) and not there_too(model.predict(array_api_strict.asarray(X)))


def test_cupy_needs_dispatch(gpu):
    X, Y = data()
    with pytest.raises(TypeError, match="array_api_dispatch=True"):
        BlockSparseRegressor().fit(gpu.asarray(X), Y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_numbers_are_refused(xp, bad):
    X, Y = data()
    X[3, 2] = bad
    model = BlockSparseRegressor()
    with pytest.raises(ValueError, match="NaN|infinity"):
        model.fit(xp.asarray(X), Y)
    with pytest.raises(NotFittedError):
        model.predict(xp.asarray(X))


# -- data on the host, computed on a GPU -------------------------------------------------------------------------


TREE = [([0, 1], 0.7), ([0, 1, 2], 0.5)]
GRAPH = [(0, 1, 1.0), (1, 2, 0.5)]
PENALTIES = [
    L1(),
    L1(positive=True),
    L1Linf(),
    L1Lq(q=3.0),
    L21(positive=True),
    SparseGroup(),
    TraceNorm(),
    TraceNorm(alpha_ridge=0.1),
    SquaredTraceNorm(),
    TraceBall(),
    SpectralBoxNorm(),
    ClusterNorm(),
    TotalVariation(),
    GraphFused(graph=GRAPH),
    TreeGroups(tree=TREE),
    Chain([TotalVariation(0.5), L1(0.2), L21(0.3)]),
    RowWeighted(L21(), np.linspace(0.5, 2, P)),
    Transposed(L21()),
    Dirty(),
    InfimalConvolution([("rows", L21()), ("rank", TraceNorm())]),
    MeanRegularized(),
    Graph(GRAPH),
    TemporalSmooth(),
    Coupled(L21(), MeanRegularized()),
    BlockMCP(),
    BlockSCAD(),
    BlockLog(),
    BlockPower(),
    CappedL1(),
    FusedSqrt(),
    SqrtL1Fused(),
]
MORE = [
    ClusteredClassifier(0.1, n_clusters=2),
    DirtyClassifier(0.1),
    GraphClassifier(0.1, graph=GRAPH),
    MeanRegularizedClassifier(0.1),
    RobustLowRankClassifier(0.1),
    TemporalClassifier(0.1),
    *(MultiTaskRegressor(clone(penalty).with_alpha(0.1)) for penalty in PENALTIES),
]


@pytest.mark.gpu
@pytest.mark.parametrize("model", [*REGRESSORS, *CLASSIFIERS, *MORE], ids=str)
def test_numpy_in_numpy_out(gpu, model):
    X, Y = data("two" if is_classifier(model) else "numbers")
    here, there = clone(model).fit(X, Y), clone(model).set_params(device="cuda").fit(X, Y)
    if hasattr(here, "dual_gap_") and not np.isnan(here.dual_gap_):
        known = max(there.dual_gap_, here.dual_gap_) + 1e-12 * here.objective_
        assert there.converged_ and abs(there.objective_ - here.objective_) <= known
    for name in ("coef_", "intercept_"):
        if hasattr(here, name):
            assert isinstance(getattr(there, name), np.ndarray)
            np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=2e-3)
    np.testing.assert_allclose(there.predict(X), here.predict(X), atol=1e-2)


@pytest.mark.parametrize("model", [BlockSparseRegressor(device="cuda"), SharedLayerRegressor(device="cuda")], ids=str)
def test_without_a_gpu_the_error_names_the_extra(model):
    if has_gpu():
        pytest.skip("there is a GPU")
    X, Y = data()
    with pytest.raises(ValueError, match=r"pip install 'mtlreg\[gpu\]'"):
        model.fit(X, Y)
    assert not hasattr(model, "tasks_")
    clone(model).set_params(device="auto").fit(X, Y)
