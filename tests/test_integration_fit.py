"""What a fit leaves behind: parameters and arrays untouched, all or nothing when interrupted, attributes."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    InfimalConvolution,
    L1Linf,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    melt,
)
from mtlreg.problem import Problem

N, P, T = 60, 8, 3
RNG = np.random.default_rng(2)
X = RNG.standard_normal((N, P))
Y = X[:, :3] @ RNG.standard_normal((3, T)) + [0.0, 1.0, -1.0] + 0.5 * RNG.standard_normal((N, T))
CLASSES = np.column_stack([Y[:, 0] > 0, np.digitize(Y[:, 1], [0, 2]), Y[:, 2] > -1]).astype(int)
MIXED = np.column_stack([Y[:, 0], Y[:, 1] > 1, RNG.poisson(np.exp(0.4 * X[:, 0]))])
LOSSES = {0: "squared", 1: "logistic", 2: "poisson"}


def dirty(alpha=0.1):
    return InfimalConvolution([("shared", L1Linf(1.5)), ("specific", L1(1.0))], alpha=alpha)


MODELS = {
    "block": (BlockSparseRegressor(0.1), Y),
    "classes": (BlockSparseClassifier(0.05), CLASSES),
    "dirty": (MultiTaskRegressor(dirty()), Y),
    "mixed": (MultiTaskRegressor(SparseGroup(0.05), loss=LOSSES), MIXED),
    "hinge": (MultiTaskClassifier(L21(0.05), loss="squared_hinge"), CLASSES),
}
every_model = pytest.mark.parametrize("name", MODELS)
both_doors = pytest.mark.parametrize("column", [False, True], ids=["shared", "column"])


def case(name, column=False):
    """A fresh estimator with its data, through either door."""
    estimator, labels = MODELS[name]
    if not column:
        return clone(estimator), X, labels
    return clone(estimator).set_params(task_feature=-1), *melt(X, labels)


def assert_same(one, two):
    assert joblib.hash(one) == joblib.hash(two)


# parameters


@every_model
def test_parameters_go_round(name):
    estimator, X, y = case(name)
    before = joblib.hash(estimator.get_params())
    again = type(estimator)(**estimator.get_params(deep=False))
    assert_same(clone(estimator).get_params(), estimator.get_params())
    assert_same(again.get_params(), estimator.get_params())
    estimator.fit(X, y)
    assert joblib.hash(estimator.get_params()) == before
    assert_array_equal(again.fit(X, y).objective_, estimator.objective_)


def test_parameters_of_the_penalty():
    estimator = MultiTaskRegressor(L21(0.1))
    penalty = estimator.penalty
    assert estimator.set_params(penalty__alpha=0.5, tol=1e-3) is estimator
    assert (estimator.penalty.alpha, estimator.tol) == (0.5, 1e-3)
    assert penalty.alpha == 0.1  # a copy was changed
    assert estimator.get_params()["penalty__alpha"] == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'q' for estimator L21"):
        estimator.set_params(penalty__q=1.0)


def test_only_the_first_parameter_is_positional():
    with pytest.raises(TypeError, match=r"BlockSparseRegressor\(\): too many positional arguments"):
        BlockSparseRegressor(0.1, 2.0)


def test_html():
    html = BlockSparseRegressor(0.1).fit(X, Y)._repr_html_()
    assert "BlockSparseRegressor" in html and "fitted" in html
    text = "MultiTaskRegressor(penalty=L21(alpha=0.1), tol=0.001)"
    assert repr(MultiTaskRegressor(L21(0.1), tol=1e-3)) == text


# all or nothing


@both_doors
@every_model
def test_arrays_of_the_caller_are_not_changed(name, column):
    estimator, X, y = case(name, column)
    weights = np.linspace(0.5, 2, len(X))
    arrays = [X, y, weights]
    before = joblib.hash(arrays)
    for array in arrays:
        array.flags.writeable = False
    estimator.set_params(standardize=True).fit(X, y, sample_weight=weights).predict(X)
    for array in arrays:
        array.flags.writeable = True
    assert joblib.hash(arrays) == before


@pytest.fixture
def interrupted(monkeypatch):
    """Ctrl-C at the second certificate from now on."""

    def arm():
        certify, calls = Problem.certify, []

        def certify_once(self, *args, **kwargs):
            if calls:
                raise KeyboardInterrupt
            calls.append(1)
            return certify(self, *args, **kwargs)

        monkeypatch.setattr(Problem, "certify", certify_once)

    return arm


@both_doors
@every_model
def test_an_interrupt_leaves_a_fitted_estimator_as_it_was(name, column, interrupted):
    estimator, X, y = case(name, column)
    estimator.fit(X[::2], y[::2])
    before = {key: (value, joblib.hash(value)) for key, value in vars(estimator).items()}
    interrupted()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert vars(estimator).keys() == before.keys()
    for key, (value, old) in before.items():
        assert vars(estimator)[key] is value
        assert joblib.hash(value) == old, key


@both_doors
@every_model
def test_an_interrupt_leaves_an_unfitted_estimator_unfitted(name, column, interrupted):
    estimator, X, y = case(name, column)
    before = joblib.hash(vars(estimator))
    interrupted()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert joblib.hash(vars(estimator)) == before
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


def test_an_error_leaves_a_fitted_estimator_as_it_was():
    estimator, X, y = case("block")
    before = joblib.hash(vars(estimator.fit(X, y)))
    with pytest.raises(ValueError, match="infinity"):
        estimator.fit(X[:, :2], np.full_like(y, np.inf))
    assert joblib.hash(vars(estimator)) == before


# copies and repetition


@pytest.mark.parametrize(
    "through", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
@both_doors
@every_model
def test_copies_of_a_fitted_estimator_predict_the_same(name, column, through):
    estimator, X, y = case(name, column)
    other = through(estimator.fit(X, y))
    assert vars(other).keys() == vars(estimator).keys()
    assert_array_equal(other.predict(X), estimator.predict(X))
    assert other.score(X, y) == estimator.score(X, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(estimator))


def test_joblib_file(tmp_path):
    estimator, X, y = case("dirty")
    joblib.dump(estimator.fit(X, y), tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert_array_equal(loaded.predict(X), estimator.predict(X))


@every_model
def test_the_same_in_every_process(name):
    estimator, X, y = case(name)
    fits = [
        clone(estimator).fit(X, y),
        *joblib.Parallel(n_jobs=2)(joblib.delayed(clone(estimator).fit)(X, y) for _ in "ab"),
    ]
    for other in fits[1:]:
        assert_array_equal(other.coef_, fits[0].coef_)
        assert_array_equal(other.history_["gap"], fits[0].history_["gap"])


@every_model
def test_fit_twice_is_fit_once(name):
    estimator, X, y = case(name)
    first = estimator.fit(X, y).coef_
    assert_array_equal(estimator.fit(X[:30], y[:30]).fit(X, y).coef_, first)


# attributes


@both_doors
@every_model
def test_history_and_certificate(name, column):
    estimator, X, y = case(name, column)
    history = estimator.fit(X, y).history_
    assert list(history) == ["iteration", "seconds", "objective", "gap"]
    assert len({len(values) for values in history.values()}) == 1
    assert (np.diff(history["iteration"]) >= 0).all() and (np.diff(history["seconds"]) >= 0).all()
    assert (history["gap"] >= 0).all() and history["gap"][-1] == estimator.dual_gap_
    assert estimator.objective_ == history["objective"].min()
    assert estimator.converged_ and estimator.dual_gap_ <= 1e-6 * history["objective"][0]
    assert type(estimator.n_iter_) is int and estimator.n_iter_ >= 1


@both_doors
def test_components(column):
    estimator, X, y = case("dirty", column)
    parts = estimator.fit(X, y).components_
    assert list(parts) == ["shared", "specific"]
    assert_allclose(parts["shared"] + parts["specific"], estimator.coef_, rtol=1e-12, atol=1e-15)
    estimator, X, y = case("block", column)
    assert_array_equal(estimator.fit(X, y).components_["coef"], estimator.coef_)


@both_doors
def test_columns(column):
    estimator, X, y = case("classes", column)
    estimator.fit(X, y)
    assert estimator.columns_ == [(0, 1), (1, 0), (1, 1), (1, 2), (2, 1)]
    assert estimator.coef_.shape == (5, P) and estimator.intercept_.shape == (5,)
    estimator, X, y = case("mixed", column)
    assert estimator.fit(X, y).columns_ == [(0, None), (1, None), (2, None)]
    assert [type(task) for task, _ in estimator.columns_] == [int] * 3


def test_one_task_is_flat_in_a_regressor():
    model = BlockSparseRegressor(0.1).fit(X, Y[:, 0])
    assert model.coef_.shape == (P,) and type(model.intercept_) is float
    assert model.tasks_.tolist() == [0] and model.predict(X).shape == (N,)
    wide = BlockSparseRegressor(0.1).fit(X, Y[:, :1])
    assert wide.coef_.shape == (1, P) and wide.predict(X).shape == (N, 1)


# warm starts and paths


@both_doors
@every_model
def test_warm_start(name, column):
    estimator, X, y = case(name, column)
    cold = estimator.fit(X, y)
    warm = clone(cold).set_params(warm_start=True).fit(X, y)
    assert_array_equal(warm.coef_, cold.coef_)
    warm.fit(X, y)
    assert len(warm.history_["gap"]) == 1
    assert_allclose(warm.objective_, cold.objective_, rtol=1e-12)
    assert_allclose(warm.coef_, cold.coef_, rtol=1e-7, atol=1e-10)


def test_warm_start_on_other_shapes_is_cold():
    warm = BlockSparseRegressor(0.1, warm_start=True).fit(X, Y)
    for data in ((X[:, :4], Y), (X, Y[:, :2]), (X, Y[:, 0])):
        assert_array_equal(warm.fit(*data).coef_, BlockSparseRegressor(0.1).fit(*data).coef_)


@both_doors
@every_model
def test_alpha_max_is_where_the_first_feature_enters(name, column):
    estimator, X, y = case(name, column)
    top = estimator.alpha_max(X, y)
    key = "alpha" if "alpha" in estimator.get_params() else "penalty__alpha"
    assert not clone(estimator).set_params(**{key: top * (1 + 1e-9)}).fit(X, y).coef_.any()
    assert clone(estimator).set_params(**{key: top * 0.99}, tol=1e-10).fit(X, y).coef_.any()
    assert not hasattr(estimator, "coef_") and not hasattr(estimator, "n_features_in_")


@both_doors
@every_model
def test_path(name, column):
    estimator, X, y = case(name, column)
    before = joblib.hash(vars(estimator))
    path = estimator.path(X, y, 5, eps=0.05)
    assert joblib.hash(vars(estimator)) == before
    assert_allclose(path.alphas, np.geomspace(1, 0.05, 5) * estimator.alpha_max(X, y))
    assert not path.coefs[0].any() and path.converged.all()
    key = "alpha" if "alpha" in estimator.get_params() else "penalty__alpha"
    for i in (2, 4):
        alone = clone(estimator).set_params(**{key: path.alphas[i]}).fit(X, y)
        assert path.coefs[i].shape == alone.coef_.shape and path.intercepts[i].shape == alone.intercept_.shape
        assert abs(path.objectives[i] - alone.objective_) <= max(path.dual_gaps[i], alone.dual_gap_)
    for i, parts in enumerate(path.components):
        assert list(parts) == (["shared", "specific"] if name == "dirty" else [])
        if parts:
            assert_allclose(sum(parts.values()), path.coefs[i], atol=1e-14)


def test_path_of_given_strengths_is_decreasing():
    path = BlockSparseRegressor().path(X, Y, [0.01, 1.0, 0.1])
    assert path.alphas.tolist() == [1.0, 0.1, 0.01]
    assert (np.diff(np.abs(path.coefs).sum(axis=(1, 2))) > 0).all()
    weighted = BlockSparseRegressor().path(X, Y, [0.1], sample_weight=np.arange(N))
    expected = BlockSparseRegressor(0.1).fit(X, Y, sample_weight=np.arange(N))
    assert_array_equal(weighted.coefs[0], expected.coef_)


# a loss for every task


@both_doors
def test_mixed_losses(column):
    estimator, X_, y = case("mixed", column)
    tight = {"penalty": L1(0.05), "tol": 1e-12}
    model = estimator.set_params(**tight).fit(X_, y)
    for t, loss in LOSSES.items():  # under an l1 norm the tasks do not see each other
        alone = MultiTaskRegressor(loss=loss, **tight).fit(X, MIXED[:, t])
        assert_allclose(model.coef_[t], alone.coef_, atol=1e-5)
        rows = slice(t * N, (t + 1) * N)
        predicted = model.predict(X_)[rows] if column else model.predict(X_)[:, t]
        assert_allclose(predicted, alone.predict(X), atol=1e-4)
    predicted = model.predict(X)[:, 1] if not column else predicted
    assert (predicted > 0).all()


def test_mixed_losses_by_name_and_by_list():
    pd = pytest.importorskip("pandas")
    named = pd.DataFrame(MIXED, columns=["dose", "cured", "visits"])
    losses = {"visits": "poisson", "dose": "squared", "cured": "logistic", "never seen": "huber"}
    model = MultiTaskRegressor(L21(0.05), loss=losses).fit(X, named)
    listed = MultiTaskRegressor(L21(0.05), loss=list(LOSSES.values())).fit(X, MIXED)
    assert_array_equal(model.coef_, listed.coef_)
    long, labels = melt(X, named)
    stacked = MultiTaskRegressor(L21(0.05), loss=losses, task_feature="task").fit(long, labels)
    assert stacked.tasks_.tolist() == ["cured", "dose", "visits"]
    assert_allclose(stacked.coef_[[1, 0, 2]], model.coef_, atol=1e-3)


# starting up


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


HEAVY = "{'numba', 'pandas', 'polars', 'matplotlib', 'cupy', 'torch', 'dask'}"
LOADED = f"print(sorted({HEAVY} & {{name.split('.')[0] for name in sys.modules}}))"


def test_import_is_as_light_as_scikit_learn():
    alone = run(f"import sys, sklearn.linear_model, sklearn.metrics, sklearn.pipeline; {LOADED}")
    assert "numba" not in alone
    assert run(f"import sys, mtlreg; {LOADED}") == alone


def test_the_first_fit_of_a_second_process_is_quick():
    code = (
        "import time, numpy as np, mtlreg; X = np.random.default_rng(0).standard_normal((50, 5));"
        "t = time.time(); mtlreg.BlockSparseRegressor(0.1).fit(X, X[:, :2]); print(time.time() - t)"
    )
    run(code)  # fills the cache of compiled kernels
    assert min(float(run(code)) for _ in range(3)) < 1.0
