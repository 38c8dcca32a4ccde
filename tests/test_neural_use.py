"""Nets in use: auxiliary tasks, warm starts, data in parts, searches, affinities, penalties on the heads."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mtlreg import (
    L21,
    SharedLayerClassifier,
    penalties,
)
from mtlreg.data import melt
from tests.nets import clone_fitted, net, numbers

pytestmark = pytest.mark.filterwarnings(
    "ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning"
)


@pytest.mark.parametrize("frame", [False, True])
def test_auxiliary_tasks_are_not_predicted(frame):
    X, Y = numbers()
    names = [0, 2]
    if frame:
        pd = pytest.importorskip("pandas")
        Y, names = pd.DataFrame(Y, columns=list("abc")), ["a", "c"]
    model = net(auxiliary_tasks=names, max_iter=100).fit(X, Y)
    assert model.predict(X).shape == (120, 1)
    assert model.tasks_.tolist() == [1] if not frame else ["b"]
    whole = net(max_iter=100).fit(X, Y)
    assert_allclose(model.predict(X)[:, 0], whole.predict(X)[:, 1])
    own = Y[["b"]] if frame else Y[:, [1]]
    assert_allclose(model.score(X, Y), model.score(X, own))


def test_auxiliary_tasks_in_a_column():
    X, Y = numbers()
    long, y = melt(X, Y)
    model = net(auxiliary_tasks=[0], task_feature=-1).fit(long, y)
    assert model.predict(long).shape == (360,)
    own = long[:, -1] > 0
    assert_allclose(model.score(long, y), model.score(long[own], y[own]))


def test_units_of_the_labels():
    """Labels in another unit: the same net, with heads in that unit."""
    X, Y = numbers()
    model = net(alpha=0.0).fit(X, Y)
    large = net(alpha=0.0).fit(X, 1e4 * Y + 1e6)
    assert_allclose(large.predict(X), 1e4 * model.predict(X) + 1e6, atol=0.01)
    assert_allclose(large.weights_["head1.weight"], 1e4 * model.weights_["head1.weight"], rtol=1e-5, atol=1e-2)
    assert_allclose(large.loss_, 1e8 * model.loss_, rtol=1e-6)


@pytest.mark.parametrize("k", [1e-3, 30.0, 1e4])
def test_labels_in_any_unit(k):
    X, Y = numbers()
    for solver in ("sgd", "adam"):
        model = net(solver=solver, learning_rate_init=0.01, max_iter=300)
        assert_allclose(model.fit(X, k * Y).score(X, k * Y), clone(model).fit(X, Y).score(X, Y), atol=0.01)


def test_warm_start():
    X, Y = numbers()
    model = net(warm_start=True, max_iter=30, learning_rate_init=0.01).fit(X, Y)
    first = model.loss_
    assert model.fit(X, Y).objective_curve_[0] < 1.1 * first
    assert model.n_iter_ == 30


def test_partial_fit():
    X, Y = numbers()
    whole = net(max_iter=1, batch_size=40, shuffle=False).fit(X, Y)
    part = net(batch_size=40, shuffle=False).partial_fit(X, Y)
    assert_allclose(part.predict(X), whole.predict(X))
    for _ in range(60):
        part.partial_fit(X, Y)
    assert part.n_iter_ == 61
    twice = net(max_iter=61, batch_size=40, shuffle=False, tol=0.0).fit(X, Y)
    assert_allclose(part.predict(X), twice.predict(X), rtol=1e-8)


def test_partial_fit_of_some_tasks():
    X, Y = numbers()
    long, y = melt(X, Y)
    tasks = net(task_feature=-1, max_iter=5).fit(long, y)
    before = tasks.predict(long)
    tasks.partial_fit(long[:120], y[:120])
    assert np.abs(tasks.predict(long) - before).max() > 0
    Y[:, 1] = np.nan
    shared = net(max_iter=5).fit(X, numbers()[1]).partial_fit(X[:10], Y[:10])
    assert shared.predict(X).shape == (120, 3)
    with pytest.raises(ValueError, match="Task 7 was not in the first call of partial_fit"):
        tasks.partial_fit(np.c_[X, np.full(120, 7)], Y[:, 0])
    labels = np.where(Y[:, [0, 2]] > 0, "yes", "no")
    model = SharedLayerClassifier((5,), random_state=0).partial_fit(X, labels)
    model.partial_fit(X[:5], labels[:5])
    with pytest.raises(ValueError, match="'maybe', which was not in the first call"):
        model.partial_fit(X[:5], np.full((5, 2), "maybe"))


def test_pickle_and_search():
    X, Y = numbers()
    model = net().fit(X, Y)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, Y)
    assert_array_equal(again.predict(X), model.partial_fit(X, Y).predict(X))
    slow = net(head_penalty=L21(0.1), max_iter=100, learning_rate_init=0.01)
    search = GridSearchCV(slow, {"head_penalty__alpha": [0.01, 10.0], "alpha": [0.0]}, cv=2)
    assert search.fit(X, Y).best_params_["head_penalty__alpha"] == 0.01


def test_partial_fit_with_classes_to_come():
    X, Y = numbers()
    y = (Y[:, 0] > 0).astype(int)
    model = SharedLayerClassifier((5,), random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.partial_fit(X[:3], [2, 2, 0]).predict_proba(X).shape == (120, 3)
    labels = np.column_stack([y, y])
    model = SharedLayerClassifier((5,), random_state=0).partial_fit(X, labels, classes=[[0, 1], [0, 1, 7]])
    assert [list(c) for c in model.classes_] == [[0, 1], [0, 1, 7]]


@pytest.mark.parametrize("kind", ["gradient", "error"])
def test_task_affinity(kind):
    X, Y = numbers(n=200, n_tasks=2)
    Y = np.column_stack([Y[:, 0], Y[:, 0], -Y[:, 0], Y[:, 1]])
    model = net(max_iter=1, learning_rate_init=1e-300).fit(X, Y)
    A = model.task_affinity(X, Y, kind=kind)
    assert_allclose(np.diag(A), 1)
    assert_allclose(A, A.T)
    if kind == "error":
        assert A[0, 1] > 0.4 > abs(A[0, 3])
    Y[:150, 0] = np.nan
    assert np.isfinite(model.task_affinity(X, Y, kind=kind)).all()


def test_what_partial_fit_does_not_take():
    X, Y = numbers()
    for settings, message in [
        ({"learning_rate": "cosine"}, "learning_rate='constant'"),
        ({"early_stopping": True}, "early_stopping=False"),
        ({"task_learning_rate": "adaptive"}, "no task_learning_rate='adaptive'"),
    ]:
        with pytest.raises(ValueError, match=message):
            net(**settings).partial_fit(X, Y)
    with pytest.raises(ValueError, match="class_weight as a dict"):
        SharedLayerClassifier((4,), class_weight="balanced").partial_fit(X, Y > 0)
    model = net().partial_fit(X, Y)
    for settings in ({"sharing": "l2"}, {"task_weight": "uncertainty"}, {"dropout": 0.5}, {"head_penalty": L21(1.0)}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))} was .* when training began"):
            clone_fitted(model).set_params(**settings).partial_fit(X, Y)
    with pytest.raises(ValueError, match="NaN only"):
        model.partial_fit(X, np.full_like(Y, np.nan))


def test_class_weights_count_in_every_part():
    X, Y = numbers()
    y = (Y[:, 0] > 0).astype(int)
    model = SharedLayerClassifier((5,), class_weight={0: 100.0, 1: 1.0}, random_state=0, learning_rate_init=0.01)
    for _ in range(100):
        model.partial_fit(X, y)
    assert model.predict(X).mean() < 0.8 * y.mean()


def test_a_first_part_of_equal_labels():
    X, Y = numbers()
    model = net(learning_rate_init=0.01).partial_fit(X[:7], np.full((7, 3), 0.1))
    for _ in range(400):
        model.partial_fit(X, Y)
    assert model.score(X, Y) > 0.8


def test_a_warm_start_knows_tasks_and_classes():
    X, Y = numbers()
    y = np.where(Y[:, 0] > 0, "a", "b")
    model = SharedLayerClassifier((8,), warm_start=True, max_iter=200, learning_rate_init=0.01, random_state=0).fit(
        X, y
    )
    swapped = np.where(y == "a", "z", "y")
    model.set_params(max_iter=1, learning_rate_init=1e-12).fit(X, swapped)
    assert 0.2 < model.score(X, swapped) < 0.9  # heads begin anew, and are not turned round


def test_a_callback_that_stops_leaves_the_best_state():
    X, Y = numbers(n=60, noise=2.0)
    model = net(hidden_layer_sizes=(50,), early_stopping=True, max_iter=500, learning_rate_init=0.02)
    table, targets = model._read_targets(X, Y, None)
    training = model._begin(model._model(table, targets), table, targets)
    training.settings.n_iter_no_change = 1000
    training.run(500, lambda training: len(training.progress.losses) == 100)
    total = float(np.sum(training.objective.factors * training.means(training.held_out, training.held)))
    assert_allclose(total, training.progress.least)


def test_per_task_stopping_ends_beside_a_task_of_one_class():
    X, Y = numbers(n=80)
    labels = (Y > 0).astype(int)
    labels[:, 1] = 1
    model = SharedLayerClassifier(
        (8,), single_class="constant", early_stopping="per_task", max_iter=2000, random_state=0
    )
    with pytest.warns(UserWarning, match="has only one class"):
        assert model.set_params(learning_rate_init=0.02).fit(X, labels).n_iter_ < 2000


@pytest.mark.parametrize("name", ["reference", "frame", "some", "array of main"])
def test_scores_of_auxiliary_tasks(name):
    pd = pytest.importorskip("pandas")
    from mtlreg.metrics import make_task_scorer

    X, Y = numbers()
    frame = pd.DataFrame(Y, columns=list("abc"))
    model = net(auxiliary_tasks=["b"], max_iter=50).fit(X, frame)
    expected = np.mean(1 - ((Y[:, [0, 2]] - model.predict(X)) ** 2).mean(axis=0) / Y[:, [0, 2]].var(axis=0))
    given = {"reference": Y, "frame": frame, "some": frame[["c", "a"]], "array of main": Y[:, [0, 2]]}[name]
    assert_allclose(model.score(X, given), expected)
    assert_allclose(make_task_scorer("r2")(model, X, given), expected)
    with pytest.raises(ValueError, match="y has 1 columns"):
        model.score(X, Y[:, [0]])


def test_tasks_that_a_fold_has_lost():
    X, Y = numbers()
    long, y = melt(X, Y)
    settings = {"head_layer": {0: 1, 9: 0}, "task_weight": {0: 0.2, 1: 0.2, 2: 0.2, 9: 0.4}}
    model = net(task_feature=-1, task_learning_rate={9: 0.1, 0: 1.0}, auxiliary_tasks=[9, 1], **settings)
    assert_allclose(model.fit(long, y).task_weights_, 1 / 3)


@pytest.mark.parametrize("name", sorted({*penalties.__all__} - {"Penalty", "HomogeneousPenalty"}))
def test_every_penalty_is_taken_or_refused_by_name(name):
    kind = getattr(penalties, name)
    made = {
        "GraphFused": lambda: kind(graph=[(0, 1, 1.0)]),
        "Graph": lambda: kind([(0, 1, 1.0)]),
        "TreeGroups": lambda: kind(tree=[[0, 1], 2]),
        "Chain": lambda: kind([penalties.L1(0.1), L21(0.1)]),
        "InfimalConvolution": lambda: kind([("a", penalties.L1(0.1)), ("b", L21(0.1))]),
        "Coupled": lambda: kind(L21(0.1), penalties.MeanRegularized(0.1)),
        "RowWeighted": lambda: kind(L21(0.1), weights=np.ones(8)),
        "Transposed": lambda: kind(L21(0.1)),
    }.get(name, kind)
    X, Y = numbers(n=40)
    penalty = made()
    model = net(head_penalty=penalty, max_iter=3)
    if penalty.convex and not penalty.part_names:
        assert np.isfinite(model.fit(X, Y).loss_)
    else:
        with pytest.raises(ValueError, match="convex penalty of one part"):
            model.fit(X, Y)


def test_task_affinity_where_it_is_not_defined():
    X, Y = numbers()
    long, y = melt(X, Y)
    A = net(task_feature=-1, max_iter=2).fit(long, y).task_affinity(long, y, kind="error")
    assert np.isnan(A[~np.eye(3, dtype=bool)]).all()
    with pytest.raises(ValueError, match="sharing='hard'"):
        net(sharing="l2", max_iter=2).fit(X, Y).task_affinity(X, Y)
    with pytest.raises(ValueError, match="kind='cosine'"):
        net(max_iter=2).fit(X, Y).task_affinity(X, Y, kind="cosine")
