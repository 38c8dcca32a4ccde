"""Sparse X computed on a GPU, or on what stands in for one: SciPy in, NumPy out, the results of the host."""

import sys

import numpy as np
import pytest
from cuda import cupy_or_skip
from scipy import sparse
from sklearn.base import clone
from stand_in import pretend_gpu
from test_devices import CLASSIFIERS, REGRESSORS

from mtlreg import BlockSparseClassifier, BlockSparseRegressor, PathSearchCV, SharedLayerRegressor, TraceNormRegressor
from mtlreg.data import melt
from mtlreg.data._tables import is_device_sparse, is_sparse, namespace_of
from mtlreg.designs import Design, SharedDesign, StackedDesign
from mtlreg.solvers import _choose, working_set
from mtlreg.solvers.fista import fista
from mtlreg.validation import to_device, to_host

N, P, T = 60, 12, 3
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(params=["stand-in", pytest.param("cupyx", marks=pytest.mark.gpu)], autouse=True)
def elsewhere(request, monkeypatch):
    """A GPU, or its stand-in."""
    if request.param == "stand-in":
        pretend_gpu(monkeypatch)
    else:
        cupy_or_skip()


@pytest.fixture
def designs(monkeypatch):
    """The kinds of X of all designs made."""
    seen, make = [], Design.__init__

    def noted(self, X, *arguments):
        seen.append(X)
        make(self, X, *arguments)

    monkeypatch.setattr(Design, "__init__", noted)
    return seen


def data(kind="numbers", container=sparse.csr_matrix, door="shared", dtype=np.float64):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((N, P)) * (rng.uniform(size=(N, P)) < 0.4)).astype(dtype)
    X[:, 3] = 0.0
    Y = X[:, :2] @ rng.standard_normal((2, T)) + 0.3 * rng.standard_normal((N, T))
    Y = Y if kind == "numbers" else np.digitize(Y, [-0.3, 0.3]) if kind == "three" else (Y > 0).astype(int)
    if door == "column":
        X, Y = melt(X, Y)
        keep = np.arange(len(X)) % 7 > 0  # tasks of several heights
        X, Y = X[keep], Y[keep]
    return container(X), Y


def check(model, X, y, methods, designs):
    before = X.copy()
    here = clone(model).fit(X, y)
    designs.clear()
    there = clone(model).set_params(device="cuda").fit(X, y)
    assert all(is_device_sparse(X) for X in designs)
    for name in ("coef_", "intercept_"):
        if hasattr(here, name) and np.ndim(getattr(here, name)):
            assert isinstance(getattr(there, name), np.ndarray)
            np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=2e-3)
    for method in methods:
        ours, theirs = getattr(here, method)(X), getattr(there, method)(X)
        for one, other in zip(*(a if isinstance(a, list) else [a] for a in (ours, theirs)), strict=True):
            assert isinstance(other, np.ndarray)
            np.testing.assert_allclose(other, one, atol=1e-2)
    if hasattr(here, "dual_gap_"):
        assert there.converged_ == here.converged_
    assert (before != X).nnz == 0


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
@pytest.mark.parametrize("door", ["shared", "column"])
def test_regressors(model, door, designs):
    X, Y = data(door=door)
    if getattr(model, "feature_weights", None) is not None:
        model = clone(model).set_params(feature_weights=[0, 1, 2, np.inf, *[1] * (P - 4)])
    model = clone(model).set_params(task_feature=-1 if door == "column" else None)
    check(model, X, Y, ["predict"], designs)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("door", ["shared", "column"])
@pytest.mark.parametrize("kind", ["two", "three"])
def test_classifiers(model, door, kind, designs):
    X, Y = data(kind, door=door)
    model = clone(model).set_params(task_feature=-1 if door == "column" else None)
    methods = ["predict", "decision_function"] + ["predict_proba"] * hasattr(model, "predict_proba")
    check(model, X, Y, methods, designs)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("door", ["shared", "column"])
@pytest.mark.parametrize("standardize", [False, True, "per_task"])
def test_containers_and_scales(container, door, standardize, designs):
    X, Y = data(container=container, door=door)
    model = BlockSparseRegressor(0.1, standardize=standardize, task_feature=-1 if door == "column" else None)
    check(model, X, Y, ["predict"], designs)
    assert all(X.format == container((1, 1)).format for X in designs)


def test_float32_and_missing_labels(designs):
    X, Y = data(dtype=np.float32)
    Y[::4, 1] = np.nan
    check(BlockSparseRegressor(0.1, tol=1e-5), X, Y, ["predict"], designs)
    assert BlockSparseRegressor(0.1, tol=1e-5, device="cuda").fit(X, Y).coef_.dtype == np.float32


@pytest.mark.parametrize("model", [BlockSparseRegressor(), TraceNormRegressor(), BlockSparseClassifier()], ids=str)
@pytest.mark.parametrize("door", ["shared", "column"])
def test_paths(model, door):
    X, Y = data("two" if isinstance(model, BlockSparseClassifier) else "numbers", door=door)
    model = clone(model).set_params(task_feature=-1 if door == "column" else None)
    here, there = (clone(model).set_params(device=device).path(X, Y, 4, eps=0.1) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.coefs, here.coefs, atol=2e-3)
    assert clone(model).set_params(device="cuda").alpha_max(X, Y) == pytest.approx(model.alpha_max(X, Y))


def test_search_and_warm_start():
    X, Y = data()
    searches = [
        PathSearchCV(BlockSparseRegressor(device=d), alphas=4, eps=0.1, cv=2).fit(X, Y) for d in ("cpu", "cuda")
    ]
    assert searches[1].best_params_ == pytest.approx(searches[0].best_params_)
    np.testing.assert_allclose(searches[1].predict(X), searches[0].predict(X), atol=1e-2)
    model = BlockSparseRegressor(0.1, warm_start=True, device="cuda").fit(X, Y)
    assert model.fit(X, Y).n_iter_ <= 11


def test_a_net_goes_on_elsewhere():
    X, Y = data()
    here, there = (SharedLayerRegressor((4,), random_state=0, device=d) for d in ("cpu", "cuda"))
    for net in (here, there):
        for _ in range(3):
            net.partial_fit(X, Y)
    np.testing.assert_allclose(there.predict(X), here.predict(X), atol=1e-6)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("stacked", [False, True])
def test_designs(container, stacked):
    rng = np.random.default_rng(1)
    X = container(rng.standard_normal((9, 5)) * (rng.uniform(size=(9, 5)) < 0.5))
    U, scale = np.stack([np.ones(9), np.arange(9.0)], axis=1), rng.uniform(1, 2, (5, 1))

    def design(X, array):
        rest = (array(U), array(scale))
        return StackedDesign(X, [0, 2, 6, 9], [1, 2, 1], *rest) if stacked else SharedDesign(X, 4, *rest)

    X_there = to_device(X, "cuda")
    array = namespace_of(X_there).asarray
    here, there = design(X, np.asarray), design(X_there, array)
    W = rng.standard_normal((5, 4))
    R = rng.uniform(1, 2, here.matvec(W).shape)
    some = np.array([4, 1])
    for residualise in (False, True):
        if residualise:
            here.residualise(R), there.residualise(array(R))
        parts = here.restrict(some), there.restrict(array(some))
        assert is_device_sparse(parts[1].X)
        for a, b, V in ((here, there, W), (*parts, W[some])):
            np.testing.assert_allclose(to_host(b.matvec(array(V))), a.matvec(V), atol=1e-12)
            np.testing.assert_allclose(to_host(b.rmatvec(array(R))), a.rmatvec(R), atol=1e-12)
            np.testing.assert_allclose(to_host(b.square_sums(array(R))), a.square_sums(R), atol=1e-12)


def test_solvers_that_want_numpy_leave_it_alone(monkeypatch):
    X, Y = data()
    problem = BlockSparseRegressor(0.1, device="cuda")._encode(X, Y, None)[0].problem
    assert _choose.choose("auto", problem) is working_set.working_set
    assert working_set.inner_solver(problem) is fista and _choose.reduce(problem) is problem
    low_rank = TraceNormRegressor(0.1, device="cuda")._encode(X, Y, None)[0].problem
    assert _choose.choose("auto", low_rank) is fista
    with pytest.raises(ValueError, match="NumPy arrays"):
        _choose.choose("coordinate_descent", problem)


def test_matrices_given_from_elsewhere_are_refused():
    X, Y = data()
    X_there = to_device(X, "cuda")
    assert is_sparse(X) and is_sparse(X_there) and is_device_sparse(X_there) and not is_device_sparse(X)
    with pytest.raises(TypeError, match=r"give X.get\(\) and device='cuda'"):
        BlockSparseRegressor().fit(X_there, Y)
    with pytest.raises(TypeError, match=r"give X.get\(\)"):
        BlockSparseRegressor(task_feature=0).fit(X_there, Y[:, 0])
    with pytest.raises(TypeError, match=r"give X.get\(\)"):
        BlockSparseRegressor().fit(X, Y).predict(X_there)


def test_too_many_entries_for_cusparse(monkeypatch):
    X, _ = data()
    monkeypatch.setattr(type(X), "nnz", 2**31, raising=False)
    with pytest.raises(ValueError, match="2\\^31 stored entries"):
        to_device(X, "cuda")


def test_nothing_is_sparse_elsewhere_before_cupyx_is_loaded(monkeypatch):
    X, _ = data()
    X_there = to_device(X, "cuda")
    monkeypatch.delitem(sys.modules, "cupyx.scipy.sparse")
    assert not is_device_sparse(X_there) and is_sparse(sparse.csr_array((1, 1)))
