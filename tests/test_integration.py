"""scikit-learn's tools around the estimators, through both ways of giving tasks."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    InfimalConvolution,
    KeepTask,
    MultiTaskRegressor,
    feature_importance,
)
from mtlreg.datasets import make_block_sparse
from mtlreg.metrics import make_task_scorer

pd = pytest.importorskip("pandas")

NAMES = ["north", "south", "west"]


@pytest.fixture(scope="module")
def shared():
    """X (90, 8), Y (90, 3) with a fifth of the labels missing."""
    bunch = make_block_sparse(90, 8, 3, 3, missing=0.2, random_state=0)
    return bunch.X, bunch.y


@pytest.fixture(scope="module")
def table():
    """A data frame with a column "school", and y."""
    bunch = make_block_sparse(50, 8, 3, 3, layout="stacked", random_state=0)
    frame = pd.DataFrame(bunch.X[:, :-1], columns=[f"f{j}" for j in range(8)])
    frame.insert(2, "school", np.array(NAMES)[bunch.X[:, -1].astype(int)])
    return frame, bunch.y


def school(alpha=0.05, **parameters):
    return BlockSparseRegressor(alpha=alpha, task_feature="school", **parameters)


def test_column_transformer_in_a_pipeline(table):
    X, y = table
    scaled = [f"f{j}" for j in range(8)]
    columns = ColumnTransformer(
        [("scale", StandardScaler(), scaled)], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = make_pipeline(columns, school()).fit(X, y)
    direct = school(standardize=True).fit(X, y)
    np.testing.assert_allclose(model.predict(X), direct.predict(X), atol=1e-3)
    assert list(model[-1].tasks_) == NAMES


def test_a_renamed_task_column_is_explained(table):
    X, y = table
    columns = make_column_transformer((StandardScaler(), ["f0"]), remainder="passthrough").set_output(transform="pandas")
    renamed = ColumnTransformer(columns.transformers, remainder="passthrough").set_output(transform="pandas")
    with pytest.raises(ValueError, match="verbose_feature_names_out=False"):
        make_pipeline(renamed, school()).fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_with_several_scorers(table, n_jobs):
    X, y = table
    pipeline = make_pipeline(KeepTask(StandardScaler(), "school"), school())
    scoring = {"macro": make_task_scorer("r2"), "plain": "r2"}
    grid = {"blocksparseregressor__alpha": [1.0, 0.01], "keeptask__transformer__with_mean": [True]}
    search = GridSearchCV(pipeline, grid, scoring=scoring, refit="macro", cv=KFold(3, shuffle=True, random_state=0))
    search.set_params(n_jobs=n_jobs).fit(X, y)
    assert search.best_params_["blocksparseregressor__alpha"] == 0.01
    weak, strong = search.cv_results_["mean_test_macro"]
    assert weak < 0.5 < strong == search.best_score_


def test_penalty_parameters_in_a_random_search(shared):
    search = RandomizedSearchCV(
        MultiTaskRegressor(L21()), {"penalty__alpha": [3.0, 0.05]}, n_iter=2, cv=3, random_state=0
    ).fit(*shared)
    assert search.best_params_ == {"penalty__alpha": 0.05}


def test_cross_val_predict_and_stock_scorers(table):
    X, y = table
    cv = KFold(3, shuffle=True, random_state=0)
    predicted = cross_val_predict(school(), X, y, cv=cv)
    assert np.corrcoef(predicted, y)[0, 1] > 0.9
    for scoring in ("r2", "neg_mean_squared_error", make_task_scorer("rmse", average="weighted")):
        assert np.isfinite(cross_val_score(school(), X, y, cv=cv, scoring=scoring)).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # scikit-learn's, on the way
def test_missing_labels_need_a_splitter_in_grid_searches_of_classifiers(shared):
    X, Y = shared
    Y = np.where(np.isnan(Y), np.nan, Y > 0)
    search = GridSearchCV(BlockSparseClassifier(), {"alpha": [0.1, 0.01]}, cv=3)
    with pytest.raises(ValueError, match="NaN"):
        search.fit(X, Y)
    search.set_params(cv=KFold(3)).fit(X, Y)
    assert search.best_score_ > 0.7


def test_permutation_importance_counts_the_task_column(table):
    X, y = table
    model = school().fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean
    assert found.shape == (9,)
    assert found[2] > 0 and found.max() > 0.1


def test_ensembles(table):
    X, y = table
    stacked = StackingRegressor([("multi", school())], Ridge(), cv=KFold(3, shuffle=True, random_state=0)).fit(X, y)
    voting = VotingRegressor([("a", school()), ("b", school(0.1))]).fit(X, y)
    numbers = X.assign(school=pd.Categorical(X["school"]).codes).to_numpy(float)
    bagged = BaggingRegressor(BlockSparseRegressor(alpha=0.05, task_feature=2), 5, random_state=0).fit(numbers, y)
    for model, data in ((stacked, X), (voting, X), (bagged, numbers)):
        assert model.score(data, y) > 0.8


def test_feature_selection_keeps_the_task(table):
    X, y = table
    select = SelectFromModel(school(0.3), importance_getter=feature_importance, threshold=1e-5)
    select.set_output(transform="pandas").fit(X, y)
    kept = list(select.transform(X).columns)
    assert "school" in kept and 2 <= len(kept) < 9
    pipeline = make_pipeline(select, school()).fit(X, y)
    assert pipeline.score(X, y) > 0.7


def test_transformed_target(shared):
    X, Y = shared
    Y = np.where(np.isnan(Y), 0.0, Y)
    model = TransformedTargetRegressor(BlockSparseRegressor(alpha=0.01), transformer=StandardScaler()).fit(X, Y)
    assert model.predict(X).shape == Y.shape


def test_dense_categories_beside_the_task(table):
    X, y = table
    X = X.assign(kind=np.where(X["f0"] > 0, "a", "b"))
    encode = ColumnTransformer(
        [("kind", OneHotEncoder(sparse_output=False), ["kind"])], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = make_pipeline(encode, school()).fit(X, y)
    assert "kind_a" in model[-1].coef_frame().columns


@pytest.mark.parametrize("kind", ["string", "integer", "Categorical", "Int64", "polars"])
def test_kinds_of_tables(table, kind):
    X, y = table
    codes = pd.Categorical(X["school"]).codes.astype(int)
    column = {"string": X["school"], "integer": codes, "Categorical": pd.Categorical(X["school"])}
    column |= {"Int64": pd.array(codes, dtype="Int64"), "polars": X["school"]}
    frame = X.assign(school=column[kind])
    if kind == "polars":
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame({name: X[name].to_numpy() for name in X.columns})
    model = school().fit(frame, y)
    np.testing.assert_array_equal(model.predict(frame), school().fit(X, y).predict(X))
    assert list(model.feature_names_in_) == list(X.columns)
    assert list(model.coef_frame().columns) == [f"f{j}" for j in range(8)]


def test_missing_labels_as_pandas_na(shared):
    X, Y = shared
    frame = pd.DataFrame(Y, columns=NAMES).convert_dtypes()
    model = BlockSparseRegressor(alpha=0.1).fit(X, frame)
    np.testing.assert_allclose(model.coef_, BlockSparseRegressor(alpha=0.1).fit(X, Y).coef_)
    assert list(model.tasks_) == NAMES
    assert list(model.coef_frame().index) == NAMES


def test_clone_pickle_joblib(table, tmp_path):
    X, y = table
    model = school().fit(X, y)
    joblib.dump(model, tmp_path / "model")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model"), clone(model).fit(X, y)):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_weights_reach_the_estimator_in_a_pipeline(table):
    X, y = table
    weights = np.arange(len(y)) % 3
    pipeline = make_pipeline(KeepTask(StandardScaler(), "school"), school())
    pipeline.fit(X, y, blocksparseregressor__sample_weight=weights)
    scaled = pipeline[0].transform(X)
    np.testing.assert_array_equal(pipeline.predict(X), school().fit(scaled, y, weights).predict(scaled))


@pytest.mark.parametrize("fitted", [True, False])
def test_an_interrupt_leaves_the_estimator_as_it_was(shared, monkeypatch, fitted):
    X, Y = shared
    model = BlockSparseRegressor(alpha=0.05)
    if fitted:
        model.fit(X, Y)
    before = copy.deepcopy(vars(model))

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("mtlreg.problem.Problem.certify", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:50], Y[:50])
    assert vars(model).keys() == before.keys()
    if fitted:
        np.testing.assert_array_equal(model.coef_, before["coef_"])


def test_fit_leaves_its_arguments_alone(shared):
    X, Y = shared
    copies = X.copy(), Y.copy()
    model = BlockSparseRegressor(alpha=0.05, standardize=True)
    parameters = model.get_params()
    model.fit(X, Y)
    assert model.get_params() == parameters
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(Y, copies[1])


def test_classes_of_both_doors(table):
    X, y = table
    grade = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    passed = np.where(grade > 0, "yes", "no")
    labels = np.where(X["school"] == "north", passed, np.array(["low", "mid", "top"])[grade])
    model = BlockSparseClassifier(alpha=0.01, task_feature="school").fit(X, labels)
    assert list(model.classes_) == ["low", "mid", "no", "top", "yes"]
    assert list(model.task_classes_["north"]) == ["no", "yes"]
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[probability.argmax(axis=1)], model.predict(X))
    assert (probability[X["school"] == "north"][:, [0, 1, 3]] == 0).all()
    assert model.score(X, labels) > 0.8
    assert len(model.columns_) == len(model.coef_) == 7


@pytest.mark.parametrize("kind", [str, int, bool])
def test_labels_of_any_type(shared, kind):
    X, Y = shared
    Y = (np.nan_to_num(Y) > 0).astype(kind)
    model = BlockSparseClassifier(alpha=0.01).fit(X, Y)
    predicted = model.predict(X)
    assert predicted.shape == Y.shape and predicted.dtype.kind == Y.dtype.kind
    assert (predicted == Y).mean() > 0.7
    assert [list(c) for c in model.classes_] == [sorted(set(Y[:, t].tolist())) for t in range(3)]
    assert model.decision_function(X).shape == Y.shape


def test_a_task_of_one_class_can_be_constant(shared):
    X, Y = shared
    Y = np.column_stack([np.nan_to_num(Y[:, 0]) > 0, np.ones(len(X))]).astype(int)
    model = BlockSparseClassifier(alpha=0.01, single_class="constant")
    with pytest.warns(UserWarning, match="Task 1 has only one class, 1"):
        model.fit(X, Y)
    assert (model.predict(X)[:, 1] == 1).all() and not model.coef_[1].any()


def test_an_unseen_task_gets_the_mean(table):
    X, y = table
    model = school(unseen_task="mean").fit(X, y)
    new = X.assign(school="east")
    mean = model.coef_.mean(axis=0) @ X.drop(columns="school").to_numpy().T + model.intercept_.mean()
    np.testing.assert_allclose(model.predict(new), mean)


def test_losses_by_task(table):
    X, y = table
    y = np.where(X["school"] == "south", y > 0, np.where(X["school"] == "west", np.rint(np.exp(y / y.std())), y))
    losses = {"north": "huber", "south": "logistic", "west": "poisson", "elsewhere": "squared"}
    model = MultiTaskRegressor(L21(0.01), loss=losses, task_feature="school").fit(X, y)
    predicted = model.predict(X)
    south = predicted[X["school"] == "south"]
    assert ((south > 0) & (south < 1)).all() and (predicted[X["school"] == "west"] > 0).all()
    assert model.converged_


def test_path_alpha_max_and_parts(shared):
    X, Y = shared
    model = MultiTaskRegressor(InfimalConvolution([("shared", L21()), ("specific", L1(0.8))]))
    top = model.alpha_max(X, Y)
    path = model.path(X, Y, 5, eps=0.1)
    assert path.alphas[0] == top and not path.coefs[0].any() and path.coefs[1].any()
    model.set_params(penalty__alpha=path.alphas[-1]).fit(X, Y)
    assert abs(model.objective_ - path.objectives[-1]) <= model.dual_gap_ + path.dual_gaps[-1]
    assert list(model.components_) == ["shared", "specific"]
    np.testing.assert_allclose(sum(model.components_.values()), model.coef_)


def test_warm_start_needs_fewer_iterations(shared):
    X, Y = shared
    model = BlockSparseRegressor(alpha=0.02, solver="fista", warm_start=True).fit(X, Y)
    cold = model.n_iter_
    assert model.fit(X, Y).n_iter_ < cold


def test_a_memory_mapped_table_is_read_in_place(tmp_path):
    import tracemalloc

    n, p = 20_000, 60
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=float, shape=(n, p))
    X[:] = np.random.default_rng(0).standard_normal((n, p))
    Y = X[:, :3] @ np.ones((3, 4)) + np.random.default_rng(1).standard_normal((n, 4))
    X.flush()
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    BlockSparseRegressor(alpha=0.1).fit(X[:100], Y[:100])  # compile first
    tracemalloc.start()
    BlockSparseRegressor(alpha=0.1, standardize=True).fit(X, Y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes + 12 * Y.nbytes


START = """
import sys, time
import sklearn.linear_model, sklearn.model_selection
before = set(sys.modules)
import mtlreg
assert "numba" not in sys.modules and "matplotlib" not in sys.modules
assert "pandas" in before or "pandas" not in sys.modules
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((50, 20)), rng.standard_normal((50, 3))
clock = time.perf_counter()
mtlreg.BlockSparseRegressor(alpha=0.1, tol=1e-8).fit(X, Y)
print(time.perf_counter() - clock)
"""


def test_a_second_process_starts_without_compiling():
    seconds = [
        float(subprocess.run([sys.executable, "-c", START], check=True, capture_output=True, text=True).stdout)
        for _ in range(4)
    ]
    assert min(seconds[1:]) < 1.0
