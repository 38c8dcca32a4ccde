"""The estimators inside scikit-learn's tools: pipelines, searches, meta-estimators, routing.

Both doors where it makes sense: X shared by all tasks with a 2-D y, and a table with a task column.
"""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn import clone, config_context
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtlreg import L21, BlockSparseRegressor, KeepTask, MultiTaskRegressor, feature_importance
from mtlreg.metrics import make_task_scorer

pd = pytest.importorskip("pandas")

N, NAMES = 90, ["a", "b", "c", "d", "e"]
RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((N, 5)) * [1.0, 10.0, 0.1, 1.0, 1.0]
TASK = RNG.permutation(N) % 3
SLOPES = np.array([[1.0, 0.2, 0, 0, 0], [2.0, 0.1, 0, 0, 0], [1.5, 0.3, 0, 0, 0]])
LABELS = FEATURES @ SLOPES.T + [0.0, 1.0, 2.0] + 0.1 * RNG.standard_normal((N, 3))
MISSING = np.where(RNG.random((N, 3)) < 0.3, np.nan, LABELS)
ONE_LABEL = LABELS[np.arange(N), TASK]
TABLE = pd.DataFrame(FEATURES, columns=NAMES).assign(school=np.array(["north", "south", "west"])[TASK])
NUMBERED = np.column_stack([FEATURES, TASK])
WEIGHTS = RNG.uniform(0.5, 2.0, N)


class Door(NamedTuple):
    X: object
    y: np.ndarray
    task_feature: str | None
    cv: object


SHARED = Door(FEATURES, LABELS, None, KFold(3, shuffle=True, random_state=0))
COLUMN = Door(TABLE, ONE_LABEL, "school", list(StratifiedKFold(3).split(TABLE, TASK)))
both_doors = pytest.mark.parametrize("door", [SHARED, COLUMN], ids=["shared", "column"])


def model(door, alpha=0.05, **parameters):
    return BlockSparseRegressor(alpha=alpha, task_feature=door.task_feature, **parameters)


def scaled(door):
    return StandardScaler() if door.task_feature is None else KeepTask(StandardScaler(), door.task_feature)


# pipelines


@both_doors
def test_pipeline_of_a_scaler_equals_standardize(door):
    pipeline = make_pipeline(scaled(door), model(door, tol=1e-10)).fit(door.X, door.y)
    alone = model(door, standardize=True, tol=1e-10).fit(door.X, door.y)
    assert_allclose(pipeline.predict(door.X), alone.predict(door.X), rtol=1e-4, atol=1e-4)
    assert pipeline.score(door.X, door.y) > 0.95


def test_column_transformer_keeps_the_name_of_the_task():
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), NAMES)], remainder="passthrough", verbose_feature_names_out=False
    )
    pipeline = make_pipeline(columns.set_output(transform="pandas"), model(COLUMN)).fit(TABLE, ONE_LABEL)
    assert list(pipeline[-1].feature_names_in_) == [*NAMES, "school"]
    expected = make_pipeline(scaled(COLUMN), model(COLUMN)).fit(TABLE, ONE_LABEL)
    assert_allclose(pipeline[-1].coef_, expected[-1].coef_)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("pandas", "'remainder__school' looks like it.*verbose_feature_names_out=False"),
        ("default", "without names.*set_output"),
    ],
)
def test_column_transformer_with_its_defaults_gets_advice(output, message):
    columns = ColumnTransformer([("numbers", StandardScaler(), NAMES)], remainder="passthrough")
    pipeline = make_pipeline(columns.set_output(transform=output), model(COLUMN))
    with pytest.raises(ValueError, match=message):
        pipeline.fit(TABLE, ONE_LABEL)


def test_the_remainder_is_last_whatever_its_name():
    columns = ColumnTransformer([("numbers", StandardScaler(), NAMES)], remainder="passthrough")
    pipeline = make_pipeline(columns, BlockSparseRegressor(0.05, task_feature=-1)).fit(TABLE, ONE_LABEL)
    assert pipeline[-1].tasks_.tolist() == ["north", "south", "west"]
    assert pipeline.score(TABLE, ONE_LABEL) > 0.9


def test_predictions_stay_arrays_whatever_the_output_of_transformers():
    with config_context(transform_output="pandas"):
        assert type(model(COLUMN).fit(TABLE, ONE_LABEL).predict(TABLE)) is np.ndarray


# searches


@both_doors
def test_grid_search_of_the_penalty(door):
    estimator = MultiTaskRegressor(L21(), task_feature=door.task_feature)
    grid = {"penalty__alpha": [0.01, 0.1, 10.0]}
    scoring = {"r2": "r2", "error": "neg_mean_squared_error", "macro": make_task_scorer("r2")}
    search = GridSearchCV(estimator, grid, scoring=scoring, refit="error", cv=door.cv)
    one, two = (clone(search).set_params(n_jobs=n_jobs).fit(door.X, door.y) for n_jobs in (1, 2))
    for name in scoring:
        assert_array_equal(one.cv_results_[f"mean_test_{name}"], two.cv_results_[f"mean_test_{name}"])
    errors = one.cv_results_["mean_test_error"]
    assert one.best_params_ == {"penalty__alpha": grid["penalty__alpha"][np.argmax(errors)]}
    assert one.best_params_["penalty__alpha"] < 10.0
    assert_array_equal(one.best_estimator_.coef_, two.best_estimator_.coef_)
    assert one.best_estimator_.penalty.alpha == one.best_params_["penalty__alpha"]
    assert estimator.penalty.alpha == 1.0
    assert_array_equal(one.predict(door.X), one.best_estimator_.predict(door.X))


def test_grid_search_with_missing_labels():
    search = GridSearchCV(BlockSparseRegressor(), {"alpha": [0.01, 10.0], "q": [2.0, np.inf]}, cv=3)
    search.fit(FEATURES, MISSING)
    assert search.best_params_["alpha"] == 0.01
    assert search.best_score_ > 0.95


@both_doors
def test_randomized_search(door):
    def search():
        space = {"alpha": loguniform(1e-3, 1e1), "entry_ratio": [0.0, 0.5]}
        found = RandomizedSearchCV(model(door), space, n_iter=4, cv=door.cv, random_state=0)
        return found.fit(door.X, door.y)

    first, second = search(), search()
    assert first.best_params_ == second.best_params_
    assert_array_equal(first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"])
    assert first.best_score_ == np.max(first.cv_results_["mean_test_score"])


@both_doors
def test_cross_val_predict(door):
    predicted = cross_val_predict(model(door), door.X, door.y, cv=door.cv)
    folds = door.cv.split(door.X) if hasattr(door.cv, "split") else door.cv
    take = (lambda rows: door.X.iloc[rows]) if door.task_feature else (lambda rows: door.X[rows])
    for train, test in folds:
        expected = model(door).fit(take(train), door.y[train]).predict(take(test))
        assert_array_equal(predicted[test], expected)


@both_doors
@pytest.mark.parametrize(
    "scoring", ["r2", "neg_root_mean_squared_error", "explained_variance", "neg_median_absolute_error"]
)
def test_cross_val_score_with_stock_scorers(door, scoring):
    data = {"X": door.X, "y": door.y, "cv": door.cv, "scoring": scoring}
    good, bad = (cross_val_score(model(door, alpha), **data) for alpha in (0.01, 50.0))
    assert good.shape == (3,)
    assert (good > bad).all()


@pytest.mark.parametrize("door", [SHARED._replace(y=MISSING), COLUMN], ids=["shared", "column"])
def test_the_default_score_is_the_task_scorer_of_r2(door):
    own = cross_val_score(model(door), door.X, door.y, cv=door.cv)
    scorer = make_task_scorer("r2", average="macro")
    assert_array_equal(own, cross_val_score(model(door), door.X, door.y, cv=door.cv, scoring=scorer))


def test_stock_scorers_on_missing_labels_fail_inside_scikit_learn():
    with pytest.raises(ValueError, match="Input contains NaN"):
        cross_val_score(model(SHARED), FEATURES, MISSING, scoring="r2", error_score="raise")


# meta-estimators


@both_doors
def test_permutation_importance(door):
    fitted = model(door).fit(door.X, door.y)
    importance = permutation_importance(fitted, door.X, door.y, n_repeats=3, random_state=0).importances_mean
    assert set(np.argsort(importance[:5])[-2:]) == {0, 1}
    assert_allclose(importance[2:5], 0, atol=0.02)
    if door.task_feature:
        assert importance[5] > 0.1  # another task's coefficients do not fit


def test_stacking():
    parts = [("mtl", BlockSparseRegressor(0.05, task_feature=-1)), ("ridge", Ridge())]
    stack = StackingRegressor(parts, final_estimator=Ridge(), cv=KFold(3, shuffle=True, random_state=0))
    stack.fit(NUMBERED, ONE_LABEL)
    assert stack.named_estimators_["mtl"].tasks_.tolist() == [0, 1, 2]
    assert_array_equal(stack.transform(NUMBERED)[:, 0], stack.named_estimators_["mtl"].predict(NUMBERED))
    assert stack.score(NUMBERED, ONE_LABEL) > stack.named_estimators_["ridge"].score(NUMBERED, ONE_LABEL)


def test_bagging_takes_the_task_by_position():
    bag = BaggingRegressor(BlockSparseRegressor(0.05, task_feature=-1), 4, random_state=0, n_jobs=2)
    bag.fit(NUMBERED, ONE_LABEL)
    assert [member.tasks_.tolist() for member in bag.estimators_] == [[0, 1, 2]] * 4
    assert_allclose(bag.predict(NUMBERED), np.mean([m.predict(NUMBERED) for m in bag.estimators_], axis=0))


@pytest.mark.parametrize("options", [{}, {"max_features": 3}, {"threshold": "median"}], ids=str)
def test_select_from_model_keeps_the_task_column(options):
    selector = SelectFromModel(model(COLUMN, 0.3), importance_getter=feature_importance, **options)
    selector.set_output(transform="pandas")
    pipeline = make_pipeline(selector, model(COLUMN)).fit(TABLE, ONE_LABEL)
    kept = pipeline[-1].feature_names_in_.tolist()
    assert kept[-1] == "school" and kept[0] == "a"
    assert len(kept) < 6
    assert pipeline.predict(TABLE).shape == (N,)


def test_select_from_model_in_the_first_door():
    selector = SelectFromModel(model(SHARED, 0.3), importance_getter=feature_importance).fit(FEATURES, LABELS)
    importance = np.linalg.norm(selector.estimator_.coef_, axis=0)
    assert_array_equal(selector.get_support(), importance >= selector.threshold_)


@both_doors
def test_transformed_target(door):
    y = np.exp(0.1 * door.y)
    outer = TransformedTargetRegressor(model(door), func=np.log, inverse_func=np.exp).fit(door.X, y)
    assert_allclose(outer.predict(door.X), np.exp(model(door).fit(door.X, np.log(y)).predict(door.X)))


def test_voting():
    parts = [model(COLUMN, alpha) for alpha in (0.01, 0.5)]
    vote = VotingRegressor([("weak", parts[0]), ("strong", parts[1])]).fit(TABLE, ONE_LABEL)
    expected = [part.fit(TABLE, ONE_LABEL).predict(TABLE) for part in parts]
    assert_allclose(vote.predict(TABLE), np.mean(expected, axis=0))


# sample weights


@both_doors
def test_weights_by_step_name_and_by_routing(door):
    expected = model(door).fit(door.X, door.y, sample_weight=WEIGHTS)
    assert not np.allclose(expected.coef_, model(door).fit(door.X, door.y).coef_, rtol=1e-6)
    pipeline = make_pipeline("passthrough", model(door))
    pipeline.fit(door.X, door.y, blocksparseregressor__sample_weight=WEIGHTS)
    assert_array_equal(pipeline[-1].coef_, expected.coef_)
    with config_context(enable_metadata_routing=True):
        asking = model(door).set_fit_request(sample_weight=True)
        pipeline = make_pipeline("passthrough", asking).fit(door.X, door.y, sample_weight=WEIGHTS)
        assert_array_equal(pipeline[-1].coef_, expected.coef_)


@both_doors
def test_weights_routed_through_a_search(door):
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        scaler = scaler if door.task_feature is None else KeepTask(scaler, door.task_feature)
        pipeline = make_pipeline(scaler, model(door).set_fit_request(sample_weight=True))
        scorer = make_task_scorer("r2").set_score_request(sample_weight=True)
        grid = {"blocksparseregressor__alpha": [0.01, 0.1]}
        search = GridSearchCV(pipeline, grid, cv=door.cv, scoring=scorer)
        weighted = clone(search).fit(door.X, door.y, sample_weight=WEIGHTS)
    plain = search.fit(door.X, door.y)
    scores = [found.cv_results_["mean_test_score"] for found in (weighted, plain)]
    assert not np.allclose(*scores, rtol=1e-8)
    best = weighted.best_estimator_
    expected = clone(best[-1]).fit(best[:-1].transform(door.X), door.y, sample_weight=WEIGHTS)
    assert_array_equal(best[-1].coef_, expected.coef_)
