"""Graphs and orders of tasks, matched to the columns of W; graphs and trees from data."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from mtlreg import (
    L1,
    L21,
    Chain,
    Coupled,
    FusedSqrt,
    Graph,
    GraphFused,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    SqrtL1Fused,
    TemporalRegressor,
    TemporalSmooth,
    TotalVariation,
    TreeGroups,
    stack_tasks,
    task_graph,
    task_tree,
)
from mtlreg.penalties._columns import column_chains
from mtlreg.penalties._structure import plain_columns, read_graph

NAMED = [("a", None), ("b", None), ("c", None)]
EDGES = [("a", "b", 0.5), ("c", "b", -2.0)]
MATRIX = np.array([[0, 0.5, 0], [0.5, 0, -2], [0, -2, 0]])


def check_edges(graph, columns, edges, weights):
    found = read_graph(graph, columns)
    assert_array_equal(found[0], np.array(edges).reshape(-1, 2))
    assert_array_equal(found[1], weights)
    assert found[0].dtype.kind == "i"
    assert found[1].dtype == float


@pytest.mark.parametrize(
    "graph",
    [
        EDGES,
        tuple(EDGES),
        [*EDGES, ("b", "a", 0.5), ("a", "c", 0.0)],
        {("b", "a"): 0.5, ("b", "c"): -2},
        {(np.str_("b"), "a"): np.float32(0.5), ("b", "c"): np.int64(-2)},
        MATRIX,
        sparse.csr_array(MATRIX),
        sparse.coo_matrix(MATRIX),
        pd.DataFrame(MATRIX, index=list("abc"), columns=list("abc")),
        pd.DataFrame(MATRIX, index=list("abc"), columns=list("abc")).loc[list("cab"), list("bca")],
    ],
)
def test_every_form_of_a_graph(graph):
    check_edges(graph, NAMED, [(0, 1), (1, 2)], [0.5, -2.0])


def test_edges_of_absent_tasks_are_left_out():
    with pytest.warns(UserWarning, match="graph names tasks that are not in the data, and are left out: 'a'"):
        check_edges(EDGES, [("b", None), ("c", None)], [(0, 1)], [-2.0])
    frame = pd.DataFrame(MATRIX, index=list("abc"), columns=list("abc"))
    with pytest.warns(UserWarning, match="left out: 'a'"):
        check_edges(frame, [("b", None), ("c", None), ("z", None)], [(0, 1)], [-2.0])
    with pytest.warns(UserWarning, match="left out: 'b'"):
        check_edges(EDGES, [("a", None), ("c", None)], [], [])


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (Graph([(0, 1, 1.0), (0, 9, 1.0)]), "graph names .* left out: 9"),
        (GraphFused(1.0, {(0, 1): 1.0, (8, 9): 1.0}), "graph names .* left out: 8, 9"),
        (TreeGroups(1.0, [[0, 1], [2, 3, 9]]), "tree names .* left out: 9"),
        (TreeGroups(1.0, [({0, 1, 2, 3}, 0.5), ([9, 8, 0], 0.25)]), "tree names .* left out: 9, 8"),
    ],
)
def test_a_fit_warns_once_of_labels_that_are_no_tasks(penalty, message):
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match=message) as caught:
        MultiTaskRegressor(penalty).fit(rng.standard_normal((30, 3)), rng.standard_normal((30, 4)))
    assert len(caught) == 1


def test_a_search_goes_on_without_a_task():
    rng = np.random.default_rng(0)
    tasks = np.repeat(["a", "b", "c"], [30, 30, 3])
    X = pd.DataFrame(rng.standard_normal((63, 3)), columns=list("xyz")).assign(task=tasks)
    folds = [(np.arange(0, 60, 2), np.arange(1, 60, 2)), (np.arange(1, 60, 2), np.arange(0, 60, 2))]
    model = MultiTaskRegressor(Graph(EDGES, alpha_ridge=0.1), task_feature="task")
    with pytest.warns(UserWarning, match="left out: 'c'") as caught:
        search = PathSearchCV(model, alphas=[1.0, 0.1], cv=folds).fit(X, rng.standard_normal(63))
    assert len(caught) == len(folds)
    assert np.isfinite(search.best_score_)


def test_no_edge():
    for graph in ([], {}, np.zeros((3, 3)), sparse.csr_array((3, 3))):
        check_edges(graph, NAMED, [], [])


def test_edges_join_columns_of_the_same_class():
    columns = [("a", 0), ("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3), ("c", 1), ("d", "yes")]
    check_edges([("b", "a", 2.0)], columns, [(1, 3), (2, 4)], [2.0, 2.0])
    # two classes are one column, whatever it is called
    check_edges([("c", "d", 2.0), ("a", "c", 1.0)], columns, [(6, 7)], [2.0])


def test_a_mean_of_two_roundings_is_symmetric():
    A = np.corrcoef(np.random.default_rng(0).standard_normal((3, 20)))
    np.fill_diagonal(A, 0)
    A[0, 1] *= 1 + 1e-15
    assert len(read_graph(A, NAMED)[1]) == 3


@pytest.mark.parametrize(
    ("graph", "error", "message"),
    [
        (None, TypeError, "graph must be a list of edges"),
        ("ab", TypeError, "graph must be"),
        (3.0, TypeError, "graph must be"),
        ([("a", "b")], ValueError, "graph has the entry"),
        ([3], ValueError, "graph has the entry 3"),
        ({"a": 1.0}, ValueError, "graph has the entry"),
        ([("a", "b", "x")], ValueError, "graph has the weight 'x'"),
        ([("a", "b", np.nan)], ValueError, "graph has the weight nan"),
        ([("a", "a", 1.0)], ValueError, "graph joins task 'a' with itself"),
        ([("a", "b", 1.0), ("b", "a", 2.0)], ValueError, "graph is not symmetric: 'b' and 'a'"),
        ([("x", "y", 1.0)], ValueError, "graph names none of the tasks.*'x', 'y'.*'a', 'b', 'c'"),
        (np.ones((3, 2)), ValueError, "graph must be square"),
        (np.ones(3), ValueError, "graph must be square"),
        (np.zeros((2, 2)), ValueError, r"graph has shape \(2, 2\) for 3 tasks"),
        (sparse.csr_array((2, 3)), ValueError, "graph must be square"),
        (np.triu(MATRIX), ValueError, "graph is not symmetric.*'b' and 'c'"),
        (np.eye(3), ValueError, "graph joins task 'a' with itself"),
        (np.full((3, 3), np.nan), ValueError, "graph contains NaN"),
        (np.array([["a"] * 3] * 3), TypeError, "graph must hold numbers"),
        (pd.DataFrame(MATRIX, index=list("abc"), columns=list("abd")), ValueError, "graph needs the same task labels"),
        (pd.DataFrame(MATRIX), ValueError, "graph names none of the tasks"),
        ([(["a"], "b", 1.0)], TypeError, r"graph has \['a'\] in the place of a task"),
    ],
)
def test_graphs_that_are_none(graph, error, message):
    with pytest.raises(error, match=message):
        read_graph(graph, NAMED)


def test_order():
    assert column_chains(NAMED) == [[0, 1, 2]]
    assert column_chains(NAMED, ["c", "x", "a", "b"]) == [[2, 0, 1]]
    for container in (tuple, np.array, pd.Index, pd.Series):
        assert column_chains(NAMED, container(["c", "b", "a"])) == [[2, 1, 0]]
    assert column_chains([(2, None), (0, None)], range(3)) == [[1, 0]]
    assert column_chains(plain_columns(2)) == [[0, 1]]
    columns = [("a", 0), ("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3), ("c", 1), ("d", "yes")]
    assert column_chains(columns, ["d", "b", "a", "c"]) == [[0], [3, 1], [4, 2], [5], [7, 6]]


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        ("abc", TypeError, "order='abc' must be a list"),
        (3, TypeError, "order=3 must be a list"),
        ({"a", "b", "c"}, TypeError, "order={.* must be a list"),
        (dict.fromkeys("abc"), TypeError, "order={.* must be a list"),
        ((c for c in "abc"), TypeError, "order=.* must be a list"),
        (["a", ["b"], "c"], TypeError, r"order has \['b'\] in the place of a task"),
        (["a", "b"], ValueError, "order=.* leaves out task 'c'"),
        (["a", "b", "c", "a"], ValueError, "order=.* names a task twice"),
    ],
)
def test_orders_that_are_none(order, error, message):
    with pytest.raises(error, match=message):
        column_chains(NAMED, order)


def visits(labels):
    """Rows of tasks in a column, with these labels in time."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((20 * len(labels), 3)), columns=list("xyz"))
    return X.assign(task=np.repeat(labels, 20)), rng.standard_normal(20 * len(labels))


@pytest.mark.parametrize(
    "penalty",
    [
        TotalVariation(0.1),
        TemporalSmooth(0.1),
        SqrtL1Fused(0.1),
        FusedSqrt(0.1),
        Chain([TotalVariation(0.1), L1(0.1)]),
        Coupled(L21(0.1), TemporalSmooth(1.0)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_the_alphabet_is_no_order(penalty):
    X, y = visits(["m6", "m12", "m24"])
    with pytest.raises(ValueError, match="order=None: the tasks 'm12', 'm24', 'm6' have no order .* give order"):
        MultiTaskRegressor(penalty, task_feature="task").fit(X, y)


def test_where_tasks_have_an_order_of_their_own():
    X, y = visits(["m6", "m12", "m24"])
    with pytest.raises(ValueError, match="order=None"):
        TemporalRegressor(0.1, task_feature="task").fit(X, y)
    assert TemporalRegressor(0.1, task_feature="task", order=["m6", "m12", "m24"]).fit(X, y).converged_
    # nothing but the selection of rows
    assert TemporalRegressor(0.1, task_feature="task", fused_ratio=0.0).fit(X, y).converged_
    for labels in ([6, 12, 24], list(pd.to_datetime(["2020-06-01", "2020-12-01", "2021-12-01"])), ["m6", "m12"]):
        assert TemporalRegressor(0.1, task_feature="task").fit(*visits(labels)).converged_
    # that of the columns of y
    Y = pd.DataFrame(np.random.default_rng(0).standard_normal((len(X), 3)), columns=["m6", "m12", "m24"])
    named = TemporalRegressor(0.1).fit(X[list("xyz")], Y)
    given = TemporalRegressor(0.1, order=["m6", "m12", "m24"]).fit(X[list("xyz")], Y)
    assert_array_equal(named.coef_, given.coef_)


# -- from data --


def related(n=60, seed=0):
    """Tasks a and b alike, c their opposite, d apart."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 5)) * [1, 10, 0.1, 1, 1]
    w, apart = np.array([1, 0.1, 0, 0, 0]), np.array([0, 0, 10, 1, 0])
    Y = X @ np.stack([w, w, -w, apart]).T + 0.1 * rng.standard_normal((n, 4)) + 5
    return X, pd.DataFrame(Y, columns=list("abcd"))


def doors():
    X, Y = related()
    yield X, Y, None
    rows = [X[i::4] for i in range(4)]
    yield *stack_tasks(rows, [Y[t].to_numpy()[i::4] for i, t in enumerate(Y)], list(Y)), "task"


@pytest.mark.parametrize(("X", "y", "task_feature"), list(doors()), ids=["shared", "task column"])
def test_graph_and_tree_from_data(X, y, task_feature):
    graph = task_graph(X, y, task_feature)
    assert {(s, t): round(r) for s, t, r in graph} == {("a", "b"): 1, ("a", "c"): -1, ("b", "c"): -1}
    assert len(task_graph(X, y, task_feature, threshold=0.0)) == 6
    tree = task_tree(X, y, task_feature)
    above = {t: sum(weight for labels, weight in tree if t in labels) for t in "abcd"}
    assert above == pytest.approx(dict.fromkeys("abcd", 1.0))
    largest = max((entry for entry in tree if len(entry[0]) > 1), key=lambda entry: entry[1])
    assert set(largest[0]) == set("abc")
    for penalty in (GraphFused(0.1, graph), TreeGroups(0.1, tree)):
        assert MultiTaskRegressor(penalty, task_feature=task_feature).fit(X, y).converged_


def test_structure_of_classes():
    X, Y = related()
    y = np.where(Y > Y.mean(), "high", "low")
    model = MultiTaskClassifier(L1(0.0, alpha_ridge=0.1))
    assert {(s, t) for s, t, _ in task_graph(X, y, estimator=model)} == {(0, 1), (0, 2), (1, 2)}
    several = np.stack([np.digitize(Y["a"], [4, 6]), np.digitize(Y["b"], [4, 6])], axis=1)
    assert [(s, t) for s, t, _ in task_graph(X, several, estimator=model)] == [(0, 1)]
    with pytest.raises(ValueError, match="different numbers of classes"):
        task_graph(X, np.stack([several[:, 0], Y["d"] > 5], axis=1), estimator=model)


def test_structure_of_little():
    X, Y = related()
    one = Y[["a"]]
    assert task_graph(X, one) == []
    assert task_tree(X, one) == [(["a"], 1.0)]
    assert len(task_graph(sparse.csr_array(X), Y)) == 3
    constant = Y.assign(b=1.0)
    assert [(s, t) for s, t, _ in task_graph(X, constant, threshold=0.0) if "b" in (s, t)] == []
    assert TreeGroups(tree=task_tree(X, constant)).bind([(t, None) for t in "abcd"]) is not None
    with pytest.raises(ValueError, match="threshold"):
        task_graph(X, Y, threshold=2.0)
