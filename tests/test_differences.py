"""Differences on chains and graphs, and trees of tasks: kernels, closed forms, equal penalties, errors."""

from contextlib import nullcontext

import array_api_strict
import cvxpy as cp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.hierarchy import linkage

from mtlreg import (
    L1,
    L21,
    Chain,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    MultiTaskClassifier,
    MultiTaskRegressor,
    TotalVariation,
    Transposed,
    TreeGroups,
    stack_tasks,
)
from mtlreg.kernels import cpu, generic
from mtlreg.penalties._fusion import build_fusion

INF = float("inf")
BACKENDS = pytest.mark.parametrize("kernels", [generic, cpu], ids=["generic", "cpu"])


def random_rows(n_columns, p=30, seed=0):
    """Rows of different size, with constant, zero and tied ones."""
    rng = np.random.default_rng(seed)
    V = rng.standard_normal((p, n_columns)) * 10.0 ** rng.uniform(-2, 2, (p, 1))
    V[3], V[4], V[5] = 1.5, 0.0, np.round(V[5])
    return V


def random_graph(n, m, seed=0):
    rng = np.random.default_rng(seed)
    pairs = np.array(np.triu_indices(n, 1)).T
    edges = np.sort(pairs[rng.permutation(len(pairs))[:m]], axis=0)
    return edges, rng.uniform(0.2, 2.0, len(edges))


def complete(n_tasks, seed=0):
    rng = np.random.default_rng(seed)
    return [(s, t, rng.uniform(0.3, 1.5) * rng.choice([-1, 1])) for t in range(n_tasks) for s in range(t)]


# -- kernels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_columns", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("strength", [0.0, 1e-3, 0.3, 1.0, 10.0, 1e3, 1e300, INF])
def test_chain_in_every_backend(n_columns, strength):
    V = random_rows(n_columns)
    limits = np.full(n_columns - 1, strength)
    limits[::3] *= 0.5
    reference, fast = generic.fuse_chain(V, limits), cpu.fuse_chain(V, limits)
    size = np.abs(V).max(axis=1, keepdims=True) + 1e-300
    assert_allclose(fast / size, reference / size, atol=1e-12)
    # the same as a graph: another algorithm
    edges = np.column_stack([np.arange(n_columns - 1), np.arange(1, n_columns)])
    assert_allclose(cpu.fuse_graph(V, edges, limits) / size, reference / size, atol=1e-12)
    strict = generic.fuse_chain(array_api_strict.asarray(V), limits)
    assert_array_equal(np.asarray(strict), reference)
    assert cpu.fuse_chain(V.astype(np.float32), limits).dtype == np.float32
    assert generic.fuse_chain(V.astype(np.float32), limits).dtype == np.float32


@BACKENDS
def test_a_chain_is_cut_by_a_weight_of_zero(kernels):
    V = random_rows(7)
    limits = np.array([0.5, 0.7, 0.0, 0.2, 1.0, 0.3])
    both = [kernels.fuse_chain(V[:, :3], limits[:2]), kernels.fuse_chain(V[:, 3:], limits[3:])]
    assert_allclose(kernels.fuse_chain(V, limits), np.concatenate(both, axis=1), atol=1e-12)


@BACKENDS
def test_chain_of_two_in_closed_form(kernels):
    V = random_rows(2)
    half = np.clip((V[:, 1] - V[:, 0]) / 2, -0.4, 0.4)
    assert_allclose(kernels.fuse_chain(V, [0.4]), V + np.column_stack([half, -half]), atol=1e-13)


@pytest.mark.parametrize("n_columns", [3, 12, 60])
def test_subgradients_of_a_chain(n_columns):
    """The flows that explain U are at their limits with the sign of the difference, wherever there is one."""
    V = np.random.default_rng(1).standard_normal((50, n_columns)).cumsum(axis=1)
    limits = np.random.default_rng(2).uniform(0, 2, n_columns - 1)
    U = cpu.fuse_chain(V, limits)
    flows = np.cumsum(U - V, axis=1)
    assert_allclose(flows[:, -1], 0, atol=1e-12)
    jumps = np.diff(U, axis=1)
    assert np.all(np.abs(flows[:, :-1]) <= limits + 1e-12)
    assert_allclose(np.where(jumps == 0, 0, flows[:, :-1]), np.sign(jumps) * limits, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 7), (8, 12), (20, 60), (30, 400)])
@pytest.mark.parametrize("strength", [0.0, 0.01, 0.1, 1.0, 1e300])
def test_graph_in_every_backend(n, m, strength):
    V = random_rows(n)
    edges, limits = random_graph(n, m)
    size = np.abs(V).max(axis=1, keepdims=True) + 1e-300
    fast = cpu.fuse_graph(V, edges, strength * limits)
    assert_allclose(fast / size, generic.fuse_graph(V, edges, strength * limits) / size, atol=1e-11)
    assert cpu.fuse_graph(V.astype(np.float32), edges, limits).dtype == np.float32


@BACKENDS
def test_no_edge_and_no_row(kernels):
    V, none = random_rows(3), np.zeros((0, 2), dtype=int)
    assert_array_equal(kernels.fuse_graph(V, none, np.zeros(0)), V)
    assert kernels.fuse_graph(V[:0], np.array([[0, 1]]), np.ones(1)).shape == (0, 3)
    assert kernels.fuse_chain(V[:0], np.ones(2)).shape == (0, 3)


def test_nan_stays_in_its_row():
    V = random_rows(5)
    V[2, 1] = np.nan
    edges, limits = random_graph(5, 7)
    for U in (cpu.fuse_chain(V, np.ones(4)), cpu.fuse_graph(V, edges, limits)):
        assert np.isnan(U[2]).any()
        assert np.isfinite(np.delete(U, 2, axis=0)).all()


def random_groups():
    starts, members = np.array([0, 1, 3, 5, 10]), np.array([4, 0, 2, 1, 3, *range(5)])
    return starts, members, np.array([0.3, 0.5, 0.1, 0.7])


def test_groups_in_every_backend():
    V, groups = random_rows(5), random_groups()
    assert_allclose(cpu.shrink_groups(V, *groups), generic.shrink_groups(V, *groups), rtol=1e-13, atol=1e-15)
    assert_allclose(cpu.group_norms(V, *groups), generic.group_norms(V, *groups), rtol=1e-13)


# -- signs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.4, 0.9, 1.0])
@pytest.mark.parametrize("n_tasks", [3, 4, 6])
def test_prox_on_a_signed_graph_agrees_with_a_convex_solver(n_tasks, ratio):
    penalty = GraphFused(0.7, complete(n_tasks, n_tasks), fused_ratio=ratio)
    V = np.random.default_rng(0).standard_normal((5, n_tasks))
    U = cp.Variable(V.shape)
    fused = sum(abs(r) * cp.sum(cp.abs(U[:, s] - np.sign(r) * U[:, t])) for s, t, r in penalty.graph)
    value = 0.7 * (ratio * fused + (1 - ratio) * cp.sum(cp.abs(U)))
    cp.Problem(cp.Minimize(cp.sum_squares(U - V) / 2 + value)).solve(cp.CLARABEL)
    assert_allclose(penalty.prox(V, 1.0), U.value, atol=1e-5)


def test_directions_that_cost_nothing():
    edges = np.array([[0, 1], [1, 2], [0, 2], [3, 4]])
    balanced = build_fusion(edges, np.array([1.0, -2.0, -1.0, 1.0]), 6)
    assert balanced.null.shape == (6, 3)
    assert_allclose(balanced.null.T @ balanced.null, np.eye(3), atol=1e-15)
    assert_allclose(balanced.value(balanced.null.T), 0, atol=1e-15)
    frustrated = build_fusion(edges, np.array([1.0, -2.0, 1.0, 1.0]), 6)
    assert frustrated.null.shape == (6, 2)
    assert TotalVariation().null_columns(4).shape == (4, 1)
    assert TotalVariation(alpha_ridge=0.1).null_columns(4) is None
    assert GraphFused(graph=complete(3)).null_columns(3) is None
    assert Chain([TotalVariation(), L1()]).null_columns(4) is None
    assert Chain([TotalVariation(), L1(0.0)]).null_columns(4).shape == (4, 1)


@pytest.mark.parametrize(
    "penalty", [TotalVariation(0.5), GraphFused(0.5, [(0, 1, 1.0), (1, 2, -2.0), (0, 2, -1.0)], fused_ratio=1.0)]
)
def test_what_no_scale_makes_feasible(penalty):
    V = np.tile(penalty.null_columns(3).T, (2, 1))
    assert penalty.feasible_scale(V) == 0
    assert penalty.conjugate(V) == INF


# -- equal penalties ------------------------------------------------------------------------------------------------

PATH = [(0, 1, 1.0), (2, 1, 1.0), (2, 3, 1.0)]
EQUAL = [
    (GraphFused(0.8, PATH, fused_ratio=0.25), Chain([TotalVariation(0.2), L1(0.6)])),
    (GraphFused(0.8, PATH[::-1], fused_ratio=0.25), Chain([TotalVariation(0.25), L1(0.75)], alpha=0.8)),
    (GraphFused(0.8, PATH, alpha_ridge=0.1), Chain([TotalVariation(0.5), L1(0.5)], alpha=0.8, alpha_ridge=0.1)),
    (GraphFused(0.8, [], fused_ratio=0.25), L1(0.6)),
    (GraphFused(0.8, complete(4), fused_ratio=0.0), L1(0.8)),
    (TreeGroups(0.8, [0, 1, 2, 3]), L21(0.8)),
    (TreeGroups(0.8, [({0, 1, 2, 3}, 0.5)]), L21(0.4)),
    (TreeGroups(0.8, [[0], [1], [2], [3]]), Chain([L1(), L21()], alpha=0.8)),
    (TreeGroups(0.8, [({k}, 1.0) for k in range(4)]), L1(0.8)),
    (TreeGroups(0.8, [({0, 1, 2, 3}, 0.5), ([3, 2, 1, 0], 0.25)]), L21(0.6)),
]


@pytest.mark.parametrize(("one", "other"), EQUAL, ids=lambda p: " ".join(repr(p).split()))
def test_equal_penalties(one, other):
    W = np.random.default_rng(0).standard_normal((8, 4))
    assert_allclose(one.value(W), other.value(W), rtol=1e-14)
    assert_allclose(one.prox(W, 0.3), other.prox(W, 0.3), rtol=1e-12, atol=1e-15)
    assert_allclose(one.feasible_scale(3 * W), other.feasible_scale(3 * W), rtol=1e-9)
    assert_allclose(one.alpha_max(W) / one.alpha, other.alpha_max(W) / other.alpha, rtol=1e-9)
    assert_allclose(one.conjugate(0.01 * W), other.conjugate(0.01 * W), rtol=1e-12, atol=1e-15)


def test_order_is_a_permutation_of_the_columns():
    W = np.random.default_rng(0).standard_normal((5, 4))
    order = [2, 0, 3, 1]
    penalty = TotalVariation(0.3, order=order)
    assert_allclose(penalty.prox(W, 1.0)[:, order], TotalVariation(0.3).prox(W[:, order], 1.0))
    assert_allclose(penalty.value(W), TotalVariation(0.3).value(W[:, order]))


def test_weights_of_a_linkage():
    heights = [0.2, 0.6, 1.0]  # of {0, 1}, {0, 1, 2}, {0, 1, 2, 3}
    Z = np.array([[0, 1, heights[0], 2], [4, 2, heights[1], 3], [5, 3, heights[2], 4]])
    given = [({0, 1}, 0.6 * 0.8), ({0, 1, 2}, 0.4), ({0}, 0.12), ({1}, 0.12), ({2}, 0.6), ({3}, 1.0)]
    W = np.random.default_rng(0).standard_normal((5, 4))
    assert_allclose(TreeGroups(tree=5 * Z * [0.2, 0.2, 1, 0.2]).value(W), TreeGroups(tree=given).value(W))
    equal = linkage(np.zeros((4, 2)))  # tasks that cannot be told apart are one group
    assert_allclose(TreeGroups(tree=equal).value(W), L21().value(W))


# -- models ---------------------------------------------------------------------------------------------------------

TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def data(n_tasks=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 6))
    W = (rng.standard_normal((6, n_tasks)) * (rng.random((6, n_tasks)) < 0.4)).cumsum(axis=1)
    return X, X @ W + 0.5 * rng.standard_normal((40, n_tasks)) + 0.3


@pytest.mark.parametrize(
    "penalty",
    [
        TotalVariation(0.2, order=["d", "a", "c", "b"]),
        GraphFused(0.1, [("d", "a", 1.0), ("a", "b", -0.5), ("c", "a", 1.0)]),
        TreeGroups(0.1, [["a", "d"], ["b", ["c"]]]),
    ],
    ids=lambda p: type(p).__name__,
)
def test_labels_of_tasks(penalty):
    """Both doors, labels and positions, and a task that is missing."""
    X, Y = data()
    long, y = stack_tasks([X] * 4, list(Y.T), list("abcd"))
    model = MultiTaskRegressor(penalty, task_feature="task", **TIGHT).fit(long, y)
    kind, position = type(penalty), dict(zip("abcd", range(4), strict=True))
    if kind is TotalVariation:
        given = kind(penalty.alpha, [position[t] for t in penalty.order])
    elif kind is GraphFused:
        given = kind(penalty.alpha, [(position[s], position[t], r) for s, t, r in penalty.graph])
    else:
        given = kind(penalty.alpha, [[0, 3], [1, [2]]])
    assert_allclose(model.coef_, MultiTaskRegressor(given, **TIGHT).fit(X, Y).coef_, atol=1e-4)
    few = (long["task"] != "b").to_numpy()
    names_it = nullcontext() if kind is TotalVariation else pytest.warns(UserWarning, match="left out: 'b'")
    with names_it:
        model = MultiTaskRegressor(penalty, task_feature="task").fit(long[few], y[few])
    assert model.converged_


def test_classes_of_different_tasks_are_joined():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), rng.integers(0, 3, (60, 2))
    y[:30, 1] = y[:30, 0]
    penalty = Chain([TotalVariation(1.0), L1(0.01)])
    model = MultiTaskClassifier(penalty, **TIGHT).fit(X, y)
    assert_allclose(model.coef_[:3], model.coef_[3:], atol=1e-12)
    assert model.coef_.any()
    graph = GraphFused(1.01, [(0, 1, 100.0)], fused_ratio=100 / 101)
    assert_allclose(MultiTaskClassifier(graph, **TIGHT).fit(X, y).coef_[:3], model.coef_[:3], atol=1e-2)


def test_at_alpha_max_the_tasks_are_equal():
    X, Y = data()
    model = MultiTaskRegressor(TotalVariation(), **TIGHT)
    top = model.alpha_max(X, Y)
    equal = model.set_params(penalty=TotalVariation(1.001 * top)).fit(X, Y).coef_
    assert_allclose(equal, np.tile(equal[:1], (4, 1)), atol=1e-6)
    pooled = MultiTaskRegressor(L1(0.0), fit_intercept=False)
    pooled.fit(np.tile(X - X.mean(axis=0), (4, 1)), (Y - Y.mean(axis=0)).T.ravel())
    assert_allclose(equal[0], pooled.coef_, atol=1e-6)
    assert np.ptp(model.set_params(penalty=TotalVariation(0.9 * top)).fit(X, Y).coef_, axis=0).max() > 1e-4


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_paths(ridge):
    X, Y = data()
    for penalty in (
        TotalVariation(alpha_ridge=ridge),
        GraphFused(graph=complete(4), fused_ratio=1.0, alpha_ridge=ridge),
        GraphFused(graph=complete(4), alpha_ridge=ridge),
        Chain([TotalVariation(0.5)], alpha_ridge=ridge),
        TreeGroups(tree=[[0, 1], [2, 3]], alpha_ridge=ridge),
    ):
        path = MultiTaskRegressor(penalty).path(X, Y, 5, eps=0.01)
        assert path.converged.all()
        assert (np.diff(path.alphas) < 0).all()


# -- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("penalty", "error", "message"),
    [
        (GraphFused(), ValueError, "graph is needed"),
        (GraphFused(graph=[], fused_ratio=1.5), ValueError, "fused_ratio must be in"),
        (GraphFused(-1.0, graph=[]), ValueError, "alpha must be in"),
        (TotalVariation(alpha_ridge=-1.0), ValueError, "alpha_ridge must be in"),
        (TotalVariation(positive="no"), TypeError, "positive must be True or False"),
        (TotalVariation(positive=True), ValueError, "positive=True.*alpha_ridge > 0"),
        (TreeGroups(), ValueError, "tree is needed"),
        (Chain([TotalVariation(), GraphFused(graph=[])]), ValueError, "do not compose"),
        (Chain([TotalVariation(), TreeGroups(tree=[0, 1])]), ValueError, "do not compose"),
        (Chain([L21(), TreeGroups(tree=[0, 1])]), ValueError, "do not compose"),
        (Chain([TotalVariation(positive=True), L1()]), ValueError, "differ in positive"),
        (Transposed(TotalVariation()), TypeError, "is about tasks"),
    ],
    ids=lambda a: " ".join(repr(a).split()) if hasattr(a, "alpha") else None,
)
def test_check_names_the_parameter(penalty, error, message):
    with pytest.raises(error, match=message):
        penalty.check()


def test_positive_differences_in_a_chain():
    Chain([TotalVariation(positive=True), L1Linf(positive=True)]).check()


COLUMNS = [("a", None), ("b", None), ("c", None)]


@pytest.mark.parametrize(
    ("penalty", "error", "message"),
    [
        (TotalVariation(order=["a", "b"]), ValueError, "order.*task 'c'"),
        (GraphFused(graph=np.ones((2, 2))), ValueError, "graph has shape"),
        (TreeGroups(tree=3), TypeError, "tree must be a nested list"),
        (TreeGroups(tree=["a", "b"]), ValueError, "tree has no group with a weight for task 'c'"),
        (TreeGroups(tree=[(["a", "b", "c"], 0.0), (["a"], 1.0)]), ValueError, "tree has no group.* task 'b'"),
        (TreeGroups(tree=[0, [1, 2]]), ValueError, "tree names none of the tasks"),
        (TreeGroups(tree=[["a", "b"], ["b", "c"]]), ValueError, "tree names task 'b' more than once"),
        (TreeGroups(tree=[(["a", "b"], 1), (["b", "c"], 1)]), ValueError, "tree has groups that overlap"),
        (TreeGroups(tree=[(["a", "b"], -1)]), ValueError, "tree has the weight -1"),
        (TreeGroups(tree=[("ab", 1.0)]), ValueError, "tree has the entry"),
        (TreeGroups(tree=[({"a"}, 1.0), ["b", "c"]]), TypeError, "tree has {'a'} in the place of a task"),
        (TreeGroups(tree=[([["a"]], 1.0)]), TypeError, r"tree has \['a'\] in the place of a task"),
        (TreeGroups(tree=np.zeros((3, 4))), ValueError, r"tree must be a linkage matrix of shape \(2, 4\)"),
        (TreeGroups(tree=np.zeros((2, 4))), ValueError, "tree is no linkage matrix"),
        (InfimalConvolution([("a", TotalVariation()), ("b", L1())]), ValueError, "part 'a' leaves directions free"),
    ],
    ids=lambda a: " ".join(repr(a).split()) if hasattr(a, "alpha") else None,
)
def test_structures_that_do_not_fit(penalty, error, message):
    with pytest.raises(error, match=message):
        penalty.bind(COLUMNS)


@pytest.mark.parametrize("kind", [TotalVariation, GraphFused, TreeGroups])
def test_what_was_bound_is_no_parameter(kind):
    assert "_bound" not in kind().get_params()
