"""Classifiers through both doors: classes of any type and number, probabilities, tasks of one class."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier

from mtlreg import L1, BlockSparseClassifier, MultiTaskClassifier, melt
from mtlreg.metrics import make_task_scorer

pd = pytest.importorskip("pandas")

N = 90
RNG = np.random.default_rng(3)
X = RNG.standard_normal((N, 5))
ETA = X[:, :2] @ RNG.standard_normal((2, 3)) + 0.7 * RNG.standard_normal((N, 3))
BINARY = (ETA > 0).astype(int)
CUTS = ([0], [-0.5, 0.5], [-1, 0, 1])
DIFFERENT = np.column_stack([np.digitize(ETA[:, t], cuts) for t, cuts in enumerate(CUTS)])
LABELS = {
    "ints": np.array([3, 7, 11, 20]),
    "negative": np.array([-1, 1, 2, 3]),
    "floats": np.array([0.0, 1.0, 2.0, 3.0]),
    "strings": np.array(["cat", "dog", "elephant", "fox"]),
    "objects": np.array(["cat", "dog", "elephant", "fox"], dtype=object),
    "bools": np.array([False, True]),
}
both_doors = pytest.mark.parametrize("column", [False, True], ids=["shared", "column"])


def fitted(codes, column=False, labels=None, **parameters):
    """A classifier with the X that its predictions are asked for, and y in the same layout."""
    y = codes if labels is None else labels[codes]
    rows, y, feature = (*melt(X, y), -1) if column else (X, y, None)
    return BlockSparseClassifier(task_feature=feature, **{"alpha": 0.05, **parameters}).fit(rows, y), rows, y


def by_task(model, column, values):
    """What a method returned, as one array a task."""
    if column:
        return list(values.reshape(3, N, *values.shape[1:]))
    return values if isinstance(values, list) else list(values.T)


# labels


@both_doors
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_type(kind, column):
    labels = LABELS[kind]
    codes = BINARY if kind == "bools" else DIFFERENT
    plain, rows, _ = fitted(codes, column)
    model, _, y = fitted(codes, column, labels)
    assert_array_equal(model.coef_, plain.coef_)
    predicted = model.predict(rows)
    assert predicted.shape == y.shape
    assert_array_equal(predicted, labels[plain.predict(rows).astype(int)])
    assert predicted.dtype.kind == ("O" if kind == "objects" else labels.dtype.kind)
    assert model.score(rows, y) == plain.score(rows, codes.T.ravel() if column else codes) > 0.6


def test_classes_are_a_list_in_the_first_door():
    model, _, _ = fitted(DIFFERENT, labels=LABELS["ints"])
    assert [classes.tolist() for classes in model.classes_] == [[3, 7], [3, 7, 11], [3, 7, 11, 20]]
    assert not hasattr(model, "task_classes_")


def test_classes_are_the_union_with_a_task_column():
    model, _, _ = fitted(DIFFERENT, column=True, labels=LABELS["strings"])
    assert model.classes_.tolist() == ["cat", "dog", "elephant", "fox"]
    assert {task: classes.tolist() for task, classes in model.task_classes_.items()} == {
        0: ["cat", "dog"],
        1: ["cat", "dog", "elephant"],
        2: ["cat", "dog", "elephant", "fox"],
    }


def test_one_task_is_an_ordinary_classifier():
    model = BlockSparseClassifier().fit(X, DIFFERENT[:, 1])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict(X).shape == (N,) and model.predict_proba(X).shape == (N, 3)
    assert model.coef_.shape == (3, 5)


def test_labels_of_different_types_by_task():
    frame = pd.DataFrame({"kind": LABELS["strings"][DIFFERENT[:, 1]], "sick": BINARY[:, 0]})
    model = BlockSparseClassifier().fit(X, frame)
    assert model.tasks_.tolist() == ["kind", "sick"]
    assert set(model.predict(X)[:, 0]) <= {"cat", "dog", "elephant"}
    assert set(model.predict(X)[:, 1]) == {0, 1}
    assert model.score(X, frame) > 0.6


def test_tasks_with_other_classes_each():
    pets = np.where(BINARY[:, 0] == 1, "cat", "dog")
    rows = np.column_stack([X, np.arange(N) % 2])
    y = np.where(np.arange(N) % 2 == 1, np.where(BINARY[:, 0] == 1, "ill", "well"), pets)
    model = BlockSparseClassifier(task_feature=-1).fit(rows, y)
    assert model.classes_.tolist() == ["cat", "dog", "ill", "well"]
    proba = model.predict_proba(rows)
    assert (proba[::2, 2:] == 0).all() and (proba[1::2, :2] == 0).all()
    assert set(model.predict(rows[::2])) == {"cat", "dog"}
    assert set(model.predict(rows[1::2])) == {"ill", "well"}


# probabilities and decisions


@both_doors
@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
@pytest.mark.parametrize("codes", [BINARY, DIFFERENT], ids=["binary", "different"])
def test_probabilities(codes, multi_class, column):
    model, rows, _ = fitted(codes, column, multi_class=multi_class)
    proba, logs = model.predict_proba(rows), model.predict_log_proba(rows)
    assert isinstance(proba, np.ndarray) == isinstance(logs, np.ndarray) == column
    predicted = by_task(model, column, model.predict(rows))
    for t, p in enumerate(by_task(model, column, proba)):
        n_classes = codes[:, t].max() + 1
        assert p.shape == (N, len(model.classes_) if column else n_classes)
        assert (p >= 0).all() and (p[:, n_classes:] == 0).all()
        assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
        assert_array_equal(p.argmax(axis=1), predicted[t])
        with np.errstate(divide="ignore"):
            assert_allclose(by_task(model, column, logs)[t], np.log(p))


@both_doors
def test_decisions_of_binary_tasks(column):
    model, rows, _ = fitted(BINARY, column)
    decision = model.decision_function(rows)
    assert decision.shape == ((3 * N,) if column else (N, 3))
    assert_array_equal(decision > 0, model.predict(rows) == 1)
    proba = model.predict_proba(rows)
    second = proba[:, 1] if column else np.column_stack([p[:, 1] for p in proba])
    assert_allclose(second, 1 / (1 + np.exp(-decision)))


def test_decisions_of_more_classes():
    model, _, _ = fitted(DIFFERENT)
    decision = model.decision_function(X)
    assert [d.shape for d in decision] == [(N,), (N, 3), (N, 4)]
    assert_array_equal(decision[2].argmax(axis=1), model.predict(X)[:, 2])
    long, rows, _ = fitted(DIFFERENT, column=True)
    stacked = long.decision_function(rows)
    assert stacked.shape == (3 * N, 4)
    assert np.isneginf(stacked[:N, 2:]).all() and np.isfinite(stacked[2 * N :]).all()
    assert_array_equal(stacked.argmax(axis=1), long.predict(rows))
    assert BlockSparseClassifier().fit(X, BINARY[:, 0]).decision_function(X).shape == (N,)
    assert BlockSparseClassifier().fit(X, DIFFERENT[:, 1]).decision_function(X).shape == (N, 3)


@both_doors
def test_a_hinge_has_no_probabilities(column):
    model, rows, _ = fitted(BINARY, column, loss="squared_hinge")
    assert model.decision_function(rows).size == 3 * N
    for method in ("predict_proba", "predict_log_proba"):
        assert not hasattr(model, method)
        with pytest.raises(AttributeError, match=method):
            getattr(model, method)


@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
def test_one_task_without_a_norm_is_ridge_logistic_regression(multi_class):
    y, penalty = DIFFERENT[:, 1], L1(0.0, alpha_ridge=0.05)
    model = MultiTaskClassifier(penalty, multi_class=multi_class, tol=1e-12).fit(X, y)
    if multi_class == "softmax":
        other = LogisticRegression(C=1 / (0.05 * N), tol=1e-10, max_iter=10_000).fit(X, y)
        assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-5)
    else:
        parts = [MultiTaskClassifier(penalty, tol=1e-12).fit(X, y == k) for k in range(3)]
        assert_allclose(model.coef_, np.concatenate([part.coef_ for part in parts]), atol=1e-4)


def test_softmax_and_ovr_differ_in_a_task_of_three_classes_only():
    soft, ovr = (fitted(DIFFERENT, multi_class=m, loss="logistic")[0] for m in ("softmax", "ovr"))
    assert [p.shape for p in soft.predict_proba(X)] == [p.shape for p in ovr.predict_proba(X)]
    assert not np.allclose(soft.predict_proba(X)[1], ovr.predict_proba(X)[1], atol=1e-3)


@pytest.mark.parametrize("door", ["one task", "shared", "column"])
def test_probabilities_of_one_vs_rest_are_those_of_scikit_learn(door):
    rows, y = load_iris(return_X_y=True)
    model = BlockSparseClassifier(alpha=0, alpha_ridge=1 / 150, multi_class="ovr", tol=1e-10)
    if door == "one task":
        proba = model.fit(rows, y).predict_proba(rows)
    elif door == "shared":
        proba = model.fit(rows, np.column_stack([y, y > 1])).predict_proba(rows)[0]
    else:
        long, labels = melt(rows, np.column_stack([y, y > 1]))
        proba = model.set_params(task_feature=-1).fit(long, labels).predict_proba(long)[: len(y)]
    other = OneVsRestClassifier(LogisticRegression(C=1, tol=1e-8, max_iter=1000)).fit(rows, y)
    assert_allclose(proba, other.predict_proba(rows), atol=1e-4)


def test_probabilities_of_one_vs_rest_far_from_the_data():
    """Where the sigmoids of all classes underflow, their ratios remain."""
    model = BlockSparseClassifier(multi_class="ovr").fit(X, DIFFERENT[:, 1])
    for sign in (1, -1):
        proba = model.predict_proba(sign * 1e6 * X)
        assert_allclose(proba.sum(axis=1), 1)


# one class, class weights, missing labels


@both_doors
def test_a_task_of_one_class(column):
    codes = np.column_stack([BINARY[:, :2], np.ones(N, dtype=int)])
    with pytest.raises(ValueError, match="Task 2 has only one class, 1.*single_class='constant'"):
        fitted(codes, column)
    with pytest.warns(UserWarning, match="Task 2 has only one class, 1: it is predicted always"):
        model, rows, y = fitted(codes, column, single_class="constant")
    assert (by_task(model, column, model.predict(rows))[2] == 1).all()
    two, _, _ = fitted(codes[:, :2])
    assert_allclose(model.coef_[:2], two.coef_, atol=1e-4)
    assert not model.coef_[2].any()
    proba = by_task(model, column, model.predict_proba(rows))[2]
    assert_array_equal(proba, [[0.0, 1.0]] * N if column else [[1.0]] * N)
    assert (by_task(model, column, model.decision_function(rows))[2] == 1).all()


@both_doors
@pytest.mark.parametrize("constant", [0, 1])
def test_the_decision_of_a_task_of_one_class_of_two(constant, column):
    """The sign says which, as for the other tasks."""
    codes = np.column_stack([BINARY[:, :2], np.full(N, constant)])
    with pytest.warns(UserWarning, match="only one class"):
        model, rows, _ = fitted(codes, column, LABELS["strings"], single_class="constant")
    decision = model.decision_function(rows)
    assert decision.shape == ((3 * N,) if column else (N, 3))
    assert_array_equal(decision > 0, model.predict(rows) == "dog")
    assert (by_task(model, column, decision)[2] == 2 * constant - 1).all()


def test_the_decision_of_a_task_of_one_class_of_many():
    codes = np.column_stack([DIFFERENT[:, 1], np.full(N, 3), BINARY[:, 0]])
    with pytest.warns(UserWarning, match="only one class"):
        model, _, _ = fitted(codes, single_class="constant")
    decision = model.decision_function(X)
    assert [d.shape for d in decision] == [(N, 3), (N,), (N,)]
    assert (decision[1] == 1).all()
    with pytest.warns(UserWarning, match="only one class"):
        model, rows, _ = fitted(codes, column=True, single_class="constant")
    assert_array_equal(model.classes_[model.decision_function(rows).argmax(axis=1)], model.predict(rows))


@both_doors
def test_a_class_of_weight_zero_is_not_there(column):
    parameters = {"standardize": True, "single_class": "constant", "tol": 1e-10}
    with pytest.warns(UserWarning, match="Task 0 has only one class, 1"):
        model, rows, y = fitted(DIFFERENT, column, class_weight={0: 0}, **parameters)
    other = BlockSparseClassifier(0.05, task_feature=-1 if column else None, **parameters)
    with pytest.warns(UserWarning, match="Task 0 has only one class, 1"):
        other.fit(rows, np.where(y == 0, np.nan, y))
    assert [classes.tolist() for classes in model._task_class_list] == [[1], [1, 2], [1, 2, 3]]
    assert model.objective_ == pytest.approx(other.objective_, rel=1e-9)
    assert_allclose(model.coef_, other.coef_, atol=1e-6)
    assert_array_equal(model.predict(rows), other.predict(rows))


@both_doors
def test_class_weights_are_sample_weights(column):
    model, rows, y = fitted(BINARY, column, class_weight={0: 1.0, 1: 3.0})
    other = BlockSparseClassifier(0.05, task_feature=-1 if column else None)
    other.fit(rows, y, sample_weight=np.where(y == 1, 3.0, 1.0))
    assert_array_equal(model.coef_, other.coef_)
    assert model.predict(rows).mean() > fitted(BINARY, column)[0].predict(rows).mean()


@both_doors
def test_balanced_class_weights_are_balanced_in_every_task(column):
    rare = np.column_stack([ETA[:, 0] > 1, ETA[:, 1] > -1]).astype(int)
    model, rows, _ = fitted(rare, column, class_weight="balanced", alpha=1e9)
    proba = model.predict_proba(rows)
    assert_allclose(proba if column else np.concatenate(proba), 0.5, atol=1e-6)


@both_doors
@pytest.mark.parametrize("kind", ["ints", "floats", "strings", "objects"])
def test_masked_labels_are_missing(kind, column):
    y, mask = LABELS[kind][DIFFERENT], np.random.default_rng(5).random(DIFFERENT.shape) < 0.2
    rows, masked, holes, feature = X, np.ma.masked_array(y, mask), np.where(mask, None, y), None
    if column:
        rows, feature = melt(X, BINARY)[0], -1
        masked, holes = masked.T.ravel(), holes.T.ravel()
    model = BlockSparseClassifier(0.05, task_feature=feature).fit(rows, masked)
    other = BlockSparseClassifier(0.05, task_feature=feature).fit(rows, holes)
    assert_array_equal(model.coef_, other.coef_)
    assert_array_equal(model.predict(rows), other.predict(rows))
    assert model.score(rows, masked) == other.score(rows, holes)


def test_the_doors_do_not_leave_traces():
    """What an earlier fit learned is gone, also where the new one has no such attribute."""
    rows, y = melt(X, BINARY)
    model = BlockSparseClassifier(0.05, task_feature=-1).fit(rows, y)
    frame = pd.DataFrame(X, columns=list("abcde"))
    model.set_params(task_feature=None).fit(frame, BINARY)
    assert not hasattr(model, "task_classes_")
    assert vars(model).keys() == vars(BlockSparseClassifier(0.05).fit(frame, BINARY)).keys()
    model.fit(X, BINARY)
    assert not hasattr(model, "feature_names_in_")
    coef = model.coef_
    model.set_params(warm_start=True, tol=1e-4).fit(X, BINARY)
    assert model.n_iter_ == 1
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, BINARY)
    assert_allclose(model.coef_, coef, atol=1e-6)


@both_doors
def test_string_labels_may_be_missing(column):
    holes = np.where(RNG.random(DIFFERENT.shape) < 0.2, None, LABELS["objects"][DIFFERENT])
    rows, y, feature = (*melt(X, holes), -1) if column else (X, holes, None)
    model = BlockSparseClassifier(0.05, task_feature=feature).fit(rows, y)
    assert model.score(rows, y) > 0.6
    assert set(np.unique(model.predict(rows))) == set(LABELS["strings"])


def test_unseen_task():
    model, rows, _ = fitted(BINARY, column=True)
    new = np.column_stack([X, np.full(N, 9)])
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(ValueError, match=r"not seen in fit: \[9\]"):
            getattr(model, method)(new)
    mean = model.set_params(unseen_task="mean").decision_function(new)
    assert_allclose(mean, model.decision_function(rows).reshape(3, N).mean(axis=0), atol=1e-12)
    assert_array_equal(model.predict(new), mean > 0)
    other, _, _ = fitted(DIFFERENT, column=True, unseen_task="mean")
    with pytest.raises(ValueError, match="unseen_task='mean' needs .*the same classes"):
        other.predict(new)


# in scikit-learn's tools

HOLES = np.where(RNG.random(BINARY.shape) < 0.2, np.nan, BINARY)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_an_integer_cv_and_missing_labels_fail_inside_scikit_learn():
    search = GridSearchCV(BlockSparseClassifier(), {"alpha": [0.01, 0.1]}, cv=3)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        search.fit(X, HOLES)


def test_a_splitter_and_missing_labels_work():
    grid = {"alpha": [0.01, 10.0], "loss": ["logistic", "squared_hinge"]}
    scoring = {"accuracy": make_task_scorer("accuracy"), "auc": make_task_scorer("roc_auc")}
    search = GridSearchCV(BlockSparseClassifier(), grid, cv=KFold(3), scoring=scoring, refit="auc")
    search.fit(X, HOLES)
    assert search.best_params_["alpha"] == 0.01
    assert search.best_score_ > 0.8
    assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_a_task_column_needs_no_care():
    rows, y = melt(X, HOLES)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    grid = {"alpha": [0.01, 10.0]}
    search = GridSearchCV(BlockSparseClassifier(task_feature=-1), grid, cv=cv, scoring="roc_auc").fit(rows, y)
    assert search.best_params_ == {"alpha": 0.01}
    predicted = cross_val_predict(search.best_estimator_, rows, y, cv=cv, method="predict_proba")
    assert predicted.shape == (len(y), 2)
    assert roc_auc_score(y, predicted[:, 1]) > 0.8


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "balanced_accuracy", "matthews_corrcoef"])
def test_stock_scorers(scoring):
    rows, y = melt(X, BINARY)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    good, bad = (
        cross_val_score(BlockSparseClassifier(alpha, task_feature=-1), rows, y, cv=cv, scoring=scoring)
        for alpha in (0.01, 10.0)
    )
    assert (good > bad).all()


def test_stacking():
    rows, y = melt(X, BINARY)
    parts = [("mtl", BlockSparseClassifier(task_feature=-1)), ("pooled", LogisticRegression())]
    stack = StackingClassifier(parts, cv=StratifiedKFold(3, shuffle=True, random_state=0)).fit(rows, y)
    assert stack.transform(rows).shape == (len(y), 2)
    pooled = stack.named_estimators_["pooled"].predict_proba(rows)
    assert log_loss(y, stack.predict_proba(rows)) < log_loss(y, pooled)


def test_the_conventions_of_multi_output_classifiers():
    theirs = MultiOutputClassifier(LogisticRegression()).fit(X, DIFFERENT)
    ours, _, _ = fitted(DIFFERENT)
    for a, b in zip(ours.classes_, theirs.classes_, strict=True):
        assert_array_equal(a, b)
    assert [p.shape for p in ours.predict_proba(X)] == [p.shape for p in theirs.predict_proba(X)]
    assert ours.predict(X).shape == theirs.predict(X).shape
