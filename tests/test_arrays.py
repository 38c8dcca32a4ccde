"""Numbers large and small, and arrays of every kind."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import Reference
from scipy import sparse
from test_degenerate import PENALTIES, at, data, every_door, every_loss, every_penalty, fit, through

from mtlreg import (
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    MultiTaskRegressor,
    SparseGroup,
    melt,
)

# the structures of the test cases are those of more tasks
pytestmark = pytest.mark.filterwarnings("ignore:.* names tasks that are not in the data")

# -- large and small --


@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("of", ["X", "Y"])
@every_door
@every_penalty
def test_units_are_irrelevant(factor, of, door, penalty):
    X, Y, parameters = through(door, *data())
    if of == "X":
        scaled = X * np.where(np.arange(X.shape[1]) == X.shape[1] - 1, 1.0, factor) if door == "stacked" else X * factor
        other = (scaled, Y)
    else:
        other = (X, Y * factor)
    model = MultiTaskRegressor(penalty, tol=1e-10, max_iter=50_000, **parameters)
    plain = at(model, X, Y, 0.1).fit(X, Y).coef_
    again = fit(at(model, *other, 0.1), *other, optimum=False)
    assert_allclose(again.coef_ * factor if of == "X" else again.coef_ / factor, plain, atol=1e-4)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "poisson"])
@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_units_of_features_are_irrelevant(loss, factor):
    X, Y = data(loss=loss)
    model = MultiTaskRegressor(L21(), loss=loss, tol=1e-9, max_iter=50_000)
    plain = at(model, X, Y, 0.1).fit(X, Y).coef_
    again = fit(at(model, X * factor, Y, 0.1), X * factor, Y, optimum=False)
    assert_allclose(again.coef_ * factor, plain, atol=1e-3)


@every_loss
@every_door
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_large_offsets(loss, door, container):
    """Columns of mean 1e4 (1e2 if sparse) and standard deviation 1: the fit is that of the centred columns."""
    X, Y = data(loss=loss)
    offset = (1e4 if container is np.asarray else 1e2) * np.array([1, -1, 1, 1, 0, 2])
    first, _, parameters = through(door, X, Y)
    second, y, _ = through(door, X + offset, Y)
    model = MultiTaskRegressor(L21(), loss=loss, tol=1e-9, max_iter=50_000, **parameters)
    plain = at(model, first, y, 0.05).fit(first, y).coef_
    objective = model.objective_
    for standardize in (False, "per_task"):
        model.set_params(standardize=standardize)
        fit(at(model, container(second), y, 0.05), container(second), y, optimum=False, rtol=1e-8)
        if not standardize:
            assert model.objective_ == pytest.approx(objective, rel=1e-8)
            assert_allclose(model.coef_, plain, atol=1e-4)


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@every_door
def test_columns_of_very_different_scales(loss, door):
    X, Y = data(60, 6, 2, loss)
    scales = 10.0 ** np.array([-4, -2, 0, 1, 2, 4])
    X, Y, parameters = through(door, X * scales, Y)
    model = MultiTaskRegressor(L21(), loss=loss, tol=1e-8, max_iter=50_000, **parameters)
    fit(at(model, X, Y, 1e-3), X, Y, optimum=False)
    standardized = fit(at(model, X, Y, 0.05, standardize=True), X, Y, optimum=False)
    plain = MultiTaskRegressor(
        standardized.penalty, loss=loss, standardize=True, tol=1e-8, max_iter=50_000, **parameters
    )
    unit = X / (np.append(scales, 1.0) if parameters else scales)
    assert_allclose(standardized.coef_ * scales, plain.fit(unit, Y).coef_, atol=1e-3)


def test_weights_of_very_different_sizes():
    X, Y = data()
    w = np.where(np.arange(len(X)) < 20, 1e8, 1e-8)
    model = fit(BlockSparseRegressor(0.1, tol=1e-9), X, Y, w)
    some = BlockSparseRegressor(0.1, tol=1e-9).fit(X[:20], Y[:20])
    assert_allclose(model.coef_, some.coef_, atol=1e-5)


# -- kinds of arrays --


def kinds(X):
    padded = np.zeros((2 * X.shape[0], 2 * X.shape[1]))
    padded[::2, ::2] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    csr = sparse.csr_array(X)
    unsorted = csr.copy()
    for start, stop in zip(csr.indptr, csr.indptr[1:], strict=False):
        unsorted.indices[start:stop] = csr.indices[start:stop][::-1]
        unsorted.data[start:stop] = csr.data[start:stop][::-1]
    unsorted.has_sorted_indices = False
    rows = np.repeat(np.arange(len(X)), np.diff(csr.indptr))
    doubled = sparse.csr_array((np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), 2 * csr.indptr), shape=csr.shape)
    return {
        "fortran": np.asfortranarray(X),
        "strided": padded[::2, ::2],
        "reversed": X[::-1].copy()[::-1],
        "read-only": frozen,
        "list": X.tolist(),
        "big-endian": X.astype(">f8"),
        "csr": csr,
        "csc": sparse.csc_array(X),
        "coo": sparse.coo_array((csr.data, (rows, csr.indices)), shape=csr.shape),
        "csr_matrix": sparse.csr_matrix(X),
        "unsorted csr": unsorted,
        "csr with duplicates": doubled,
    }


@pytest.mark.parametrize("kind", kinds(np.ones((2, 2))))
@pytest.mark.parametrize("door", ["shared", "stacked", "missing"])
@pytest.mark.parametrize("standardize", [False, True])
def test_arrays_of_every_kind(kind, door, standardize):
    X, Y = data()
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.3, 0.0, X)
    Y = np.where(np.random.default_rng(2).random(Y.shape) < 0.2, np.nan, Y) if door == "missing" else Y
    X, Y, parameters = through("stacked" if door == "stacked" else "shared", X, Y)
    model = MultiTaskRegressor(SparseGroup(0.1, entry_ratio=0.3), tol=1e-11, standardize=standardize, **parameters)
    plain = model.fit(X, Y).coef_.copy()
    given = kinds(X)[kind]
    before = given.copy() if hasattr(given, "copy") else list(given)
    model.fit(given, Y)
    assert_allclose(model.coef_, plain, atol=1e-6)
    assert_allclose(model.predict(given), model.predict(X), atol=1e-9)
    if sparse.issparse(given):
        assert_array_equal(given.data, before.data)
    else:
        assert_array_equal(np.asarray(given), np.asarray(before))


@every_loss
def test_nothing_is_written_to(loss):
    X, Y = data(loss=loss)
    w = np.linspace(0.5, 2.0, len(X))
    f = np.array([1.0, 0.0, 2.0, np.inf, 1.0, 1.0])
    for a in (X, Y, w, f):
        a.flags.writeable = False
    for standardize in (False, "per_task"):
        model = MultiTaskRegressor(L21(0.05), loss=loss, feature_weights=f, standardize=standardize)
        model.fit(X, Y, w)
        model.predict(X)
        model.path(X, Y, alphas=2, eps=0.05, sample_weight=w)
        Xs, y = melt(X, Y)
        for a in (Xs, y):
            a.flags.writeable = False
        model.set_params(task_feature=-1).fit(Xs, y, np.tile(w, 3))


@pytest.mark.parametrize(
    ("dtype", "door"),
    [(d, door) for d in (np.int64, np.int32, np.int8, np.uint8) for door in ("shared", "stacked")] + [(bool, "shared")],
)
def test_integers(dtype, door):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (30, 6)).astype(dtype)
    Y = rng.integers(0, 9, (30, 3))
    wide, labels, parameters = through(door, X.astype(float), Y.astype(float))
    narrow = np.column_stack([np.tile(X, (3, 1)), wide[:, -1].astype(dtype)]) if parameters else X
    model = MultiTaskRegressor(L21(0.1), tol=1e-10, **parameters)
    plain = model.fit(wide, labels).coef_.copy()
    assert_array_equal(model.fit(narrow, labels.astype(int)).coef_, plain)
    assert model.coef_.dtype == np.float64


@pytest.mark.sampled(2)
@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "squared_hinge", "poisson"])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array])
@every_door
def test_float32(loss, container, door):
    """Stays float32, and the gap holds for the coefficients as they are."""
    X, Y = data(loss=loss)
    X, Y, parameters = through(door, X, Y)
    X, Y = container(X.astype(np.float32)), Y.astype(np.float32)
    for standardize in (False, True):
        model = MultiTaskRegressor(L21(), loss=loss, standardize=standardize, tol=1e-5, max_iter=50_000, **parameters)
        at(model, X, Y, 0.1).fit(X, Y)
        assert model.converged_
        assert model.coef_.dtype == model.intercept_.dtype == model.predict(X).dtype == np.float32
        reference = Reference(model, X, Y)
        scale = model.history_["objective"][0]
        left = reference.of(model) - reference.optimum()
        assert left <= model.dual_gap_ + 16 * np.finfo(np.float32).eps * scale
        assert model.dual_gap_ <= 1.01e-5 * scale


@pytest.mark.parametrize("penalty", ["dirty", "chain", "tasks", "l1lq"])
@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
def test_float32_under_every_kind_of_penalty(loss, penalty):
    X, Y = (a.astype(np.float32) for a in data(loss=loss))
    model = MultiTaskRegressor(PENALTIES[penalty], loss=loss, tol=1e-5, max_iter=50_000)
    at(model, X, Y, 0.1).fit(X, Y)
    assert model.converged_
    assert all(part.dtype == np.float32 for part in model.components_.values())
    reference = Reference(model, X, Y)
    left = reference.of(model) - reference.optimum()
    assert left <= model.dual_gap_ + 16 * np.finfo(np.float32).eps * model.history_["objective"][0]


def test_float32_classes():
    X, Y = data()
    y = np.digitize(Y[:, 0], [-1.0, 1.0])
    model = BlockSparseClassifier(0.02, tol=1e-5).fit(X.astype(np.float32), y)
    assert model.coef_.dtype == model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert_allclose(model.coef_, BlockSparseClassifier(0.02).fit(X, y).coef_, atol=0.05)


@pytest.mark.parametrize("penalty", ["l21", "dirty", "tasks"])
@every_loss
def test_no_tolerance_is_that_of_the_precision(penalty, loss):
    X, Y = data(loss=loss)
    model = MultiTaskRegressor(PENALTIES[penalty], loss=loss, tol=0.0, max_iter=50_000)
    fit(at(model, X, Y, 0.1), X, Y, optimum=False)
    assert model.dual_gap_ <= 50 * np.finfo(float).eps * model.history_["objective"][0]


# -- overflow --


@pytest.mark.parametrize("solver", ["auto", "fista", "coordinate_descent"])
@pytest.mark.parametrize("of", ["X", "y"])
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_overflow_is_an_error(solver, of):
    X, Y = data()
    X, Y = (X * 1e160, Y) if of == "X" else (X, Y * 1e160)
    with pytest.raises(ValueError, match="overflows.*Rescale"):
        MultiTaskRegressor(L21(0.1), solver=solver, max_iter=50).fit(X, Y)
