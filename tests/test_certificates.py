"""Certificates against the truth: the objective is the model's, the gap is never below what is left."""

from itertools import product

import numpy as np
import pytest
from reference import Reference
from scipy import sparse

from mtlreg import (
    L1,
    L21,
    Chain,
    ClusterNorm,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    RowWeighted,
    SparseGroup,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TotalVariation,
    TraceBall,
    TraceNorm,
    Transposed,
    TreeGroups,
    stack_tasks,
)

N_TASKS, N_FEATURES = 3, 6

GRAPH = [(0, 1, 1.0), (1, 2, -0.7), (0, 2, 2.0)]  # no signs of the tasks make all weights positive
ROWS = [2.0, 0.5, 1.0, 0.1, 1.5, 1.0]  # weights of the features
TREE = [((0, 1), 0.8), ((2,), 0.5), ((0,), 0.2), ((0, 1, 2), 1.0)]

PENALTIES = {
    "l1": L1(),
    "l1+ridge": L1(alpha_ridge=0.05),
    "l1 positive": L1(positive=True),
    "l21": L21(),
    "l21+ridge": L21(alpha_ridge=0.05),
    "l21 positive": L21(positive=True),
    "l1linf": L1Linf(),
    "l1linf+ridge": L1Linf(alpha_ridge=0.05),
    "l1linf positive": L1Linf(positive=True),
    "l1lq 1.5": L1Lq(q=1.5),
    "l1lq 3": L1Lq(q=3.0),
    "l1lq 3+ridge positive": L1Lq(q=3.0, alpha_ridge=0.05, positive=True),
    "sparse group .3": SparseGroup(entry_ratio=0.3),
    "sparse group .7, inf": SparseGroup(entry_ratio=0.7, q=np.inf),
    "sparse group .5, 1.5": SparseGroup(entry_ratio=0.5, q=1.5),
    "sparse group+ridge": SparseGroup(entry_ratio=0.2, alpha_ridge=0.05),
    "sparse group positive": SparseGroup(entry_ratio=0.2, positive=True),
    "dirty": InfimalConvolution([("shared", L1Linf(1.3)), ("specific", L1())]),
    "dirty 2": InfimalConvolution([("shared", L21(1.2)), ("specific", L1())]),
    "dirty+ridge": InfimalConvolution([("shared", L21(1.2, alpha_ridge=0.05)), ("specific", L1())]),
    "chain": Chain([L21(0.7), L1(0.4)]),
    "chain+ridge": Chain([L1Linf(0.7), L1(0.4)], alpha_ridge=0.05),
    "tasks": Transposed(L21()),
    "differences": TotalVariation(order=[2, 0, 1]),
    "fused sparse group": Chain([TotalVariation(0.6, order=[2, 0, 1]), L1(0.3), L21(0.5)]),
    "graph fused": GraphFused(graph=GRAPH),
    "tree": TreeGroups(tree=TREE),
    "weighted fused": Chain([TotalVariation(0.6, order=[2, 0, 1]), RowWeighted(L1(0.3), ROWS)]),
    "tasks sparse": Transposed(SparseGroup(entry_ratio=0.3, alpha_ridge=0.05)),
    "trace norm": TraceNorm(),
    "squared trace norm": SquaredTraceNorm(),
    "box norm": SpectralBoxNorm(shape=0.5),
    "cluster norm": ClusterNorm(alpha_ridge=0.05),
    "robust low rank": InfimalConvolution([("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))]),
    "sparse + ball": InfimalConvolution([("sparse", L1()), ("low_rank", TraceBall(0.7))]),
}

MORE_PENALTIES = {
    "l1+ridge positive": L1(alpha_ridge=0.05, positive=True),
    "l21+ridge positive": L21(alpha_ridge=0.05, positive=True),
    "l1linf+ridge positive": L1Linf(alpha_ridge=0.05, positive=True),
    "l1lq 1.5+ridge": L1Lq(q=1.5, alpha_ridge=0.05),
    "l1lq 1.5 positive": L1Lq(q=1.5, positive=True),
    "l1lq 3+ridge": L1Lq(q=3.0, alpha_ridge=0.05),
    "l1lq 3 positive": L1Lq(q=3.0, positive=True),
    "sparse group .5, 3": SparseGroup(entry_ratio=0.5, q=3.0),
    "sparse group .5, inf+ridge": SparseGroup(entry_ratio=0.5, q=np.inf, alpha_ridge=0.05),
    "chain positive": Chain([L21(0.7, positive=True), L1(0.4, positive=True)]),
    "dirty positive": InfimalConvolution([("shared", L1Linf(1.3, positive=True)), ("specific", L1())]),
    "trace norm+ridge": TraceNorm(alpha_ridge=0.05),
    "squared trace norm+ridge": SquaredTraceNorm(alpha_ridge=0.05),
    "box norm+ridge": SpectralBoxNorm(n_clusters=1, alpha_ridge=0.05),
    "three clusters": ClusterNorm(n_clusters=3, eps_mean=0.2, eps_between=0.3, eps_within=2.0),
    "trace ball": TraceBall(0.7),
    "robust features": InfimalConvolution([("shared", L21(0.5)), ("outlier", Transposed(L21(0.5)))]),
    "sparse + low rank": InfimalConvolution([("sparse", L1(0.4)), ("low_rank", TraceNorm(0.6))]),
    "sparse + squared": InfimalConvolution([("sparse", L1()), ("low_rank", SquaredTraceNorm())]),
    "differences+ridge": TotalVariation(order=[2, 0, 1], alpha_ridge=0.05),
    "differences positive": TotalVariation(order=[2, 0, 1], alpha_ridge=0.05, positive=True),
    "fused positive": Chain([TotalVariation(0.6, order=[2, 0, 1], positive=True), L1(0.3, positive=True)]),
    "fused sparse group inf+ridge": Chain([TotalVariation(0.6, order=[2, 0, 1]), L1Linf(0.5)], alpha_ridge=0.05),
    "graph fused only": GraphFused(graph=GRAPH, fused_ratio=1.0),
    "graph fused balanced": GraphFused(graph=[(0, 1, 1.0), (1, 2, -0.7), (0, 2, -2.0)], fused_ratio=1.0),
    "graph fused path+ridge": GraphFused(graph=[(0, 2, 1.0), (2, 1, -0.7)], fused_ratio=0.8, alpha_ridge=0.05),
    "graph fused rows": Chain([GraphFused(graph=GRAPH), L21(0.5)]),
    "weighted rows": RowWeighted(L21(), ROWS),
    "weighted rows+ridge positive": RowWeighted(L1(positive=True), ROWS, alpha_ridge=0.05),
    "weighted differences": RowWeighted(TotalVariation(order=[2, 0, 1]), ROWS),
    "weighted, both": Chain([("a", RowWeighted(GraphFused(graph=GRAPH), ROWS)), ("b", RowWeighted(L21(), ROWS[::-1]))]),
    "weighted split": InfimalConvolution([("a", RowWeighted(L21(), ROWS)), ("b", L1(0.8))]),
    "tree+ridge": TreeGroups(tree=TREE, alpha_ridge=0.05),
    "tree, entries": Chain([L1(0.3), TreeGroups(tree=TREE)]),
    "fused and dense": InfimalConvolution([("a", GraphFused(1.3, graph=GRAPH)), ("b", L21(1.2))]),
    "three parts": InfimalConvolution([("a", L21(1.2)), ("b", L1()), ("c", Transposed(L21(1.1)))]),
}

MIXED = ["squared", "logistic", "poisson"]
LOSSES = {
    "squared": "squared",
    "logistic": "logistic",
    "squared hinge": "squared_hinge",
    "poisson": "poisson",
    "huber": "huber",
    "softmax": "softmax",
    "mixed": MIXED,
}

WEIGHTS = np.array([1.0, 0.0, np.inf, 2.0, 0.5, 1.0])

# how the data are laid out, and the parameters of the estimator
DESIGNS = {
    "dense": ({}, {}),
    "csr": ({"container": sparse.csr_array}, {}),
    "csc, label weights": ({"container": sparse.csc_array, "weights": 2}, {}),
    "weights": ({"weights": 1}, {}),
    "label weights": ({"weights": 2}, {"task_weight": [1.0, 2.0, 0.5]}),
    "missing": ({"missing": 0.3}, {}),
    "missing, sparse": ({"missing": 0.3, "container": sparse.csr_array}, {"standardize": True}),
    "missing, balanced": ({"missing": 0.3}, {"task_weight": "balanced", "standardize": "per_task"}),
    "features": ({}, {"feature_weights": WEIGHTS}),
    "features, sparse": ({"container": sparse.csr_array, "missing": 0.2}, {"feature_weights": WEIGHTS}),
    "standardize": ({"weights": 1}, {"standardize": True}),
    "no intercept": ({}, {"fit_intercept": False}),
    "no intercept, missing": ({"missing": 0.3}, {"fit_intercept": False, "standardize": "per_task"}),
    "stacked": ({"stacked": True}, {"task_feature": -1}),
    "stacked, weights": (
        {"stacked": True, "weights": 1},
        {"task_feature": -1, "task_weight": {0: 1.0, 1: 2.0, 2: 0.5}, "standardize": "per_task"},
    ),
    "stacked, sparse": (
        {"stacked": True, "container": sparse.csr_array},
        {"task_feature": -1, "task_weight": "balanced", "standardize": True},
    ),
    "stacked, features": ({"stacked": True}, {"task_feature": -1, "feature_weights": WEIGHTS}),
    "stacked, no intercept": ({"stacked": True}, {"task_feature": -1, "fit_intercept": False}),
}


def labels(loss, eta, rng):
    if isinstance(loss, list):
        return np.stack([labels(one, eta[:, t], rng) for t, one in enumerate(loss)], axis=1)
    if loss == "poisson":
        return rng.poisson(np.exp(np.clip(eta, None, 2.0))).astype(float)
    if loss in ("logistic", "squared_hinge"):
        return (eta > 0).astype(float)
    if loss == "softmax":
        return np.digitize(eta, [-0.7, 0.7]).astype(float)
    return eta


def data(loss, container=np.asarray, weights=0, missing=0.0, stacked=False, seed=0):
    """X, y and sample weights of a small problem."""
    rng = np.random.default_rng(seed)
    sizes = [26, 20, 31] if stacked else [30]
    Xs = [rng.standard_normal((n, N_FEATURES)) * (rng.random((n, N_FEATURES)) < 0.7) + 0.2 for n in sizes]
    Xs = [X * np.array([1, 2, 1, 0.5, 1, 3]) for X in Xs]
    W = rng.standard_normal((N_FEATURES, N_TASKS)) * [[1], [0.5], [1], [0], [-1], [0.2]]
    noise = [0.8 * rng.standard_normal((len(X), N_TASKS)) for X in Xs]
    Ys = [labels(loss, X @ W + e + 0.3, rng) for X, e in zip(Xs, noise, strict=True)]
    if stacked:
        X, y = stack_tasks(Xs, [Y[:, t] for t, Y in enumerate(Ys)])
    else:
        X, y = Xs[0], Ys[0]
    y = np.where(rng.random(y.shape) < missing, np.nan, y)
    shape = (len(X), N_TASKS)[:weights]
    w = rng.uniform(0.3, 2.0, shape) * (rng.random(shape) < 0.9) if weights else None
    return container(X), y, w


def make(penalty, loss, **parameters):
    if loss == "softmax":
        return MultiTaskClassifier(penalty, **parameters)
    return MultiTaskRegressor(penalty, loss=loss, **parameters)


def solvers(penalty, loss, stacked, every):
    """Solvers that apply; FISTA, which always does and is slow, only for ``every`` or where "auto" chooses it."""
    yield "auto"
    if penalty.row_kernels():
        yield "working_set"
        if loss == "squared":
            yield "coordinate_descent"
        if getattr(loss, "name", loss) != "calibrated" and not (stacked and loss == "softmax"):
            yield "prox_newton"
        if every:
            yield "fista"


def largest_strength(model, X, y, w):
    """alpha_max, or the largest strength on a path under penalties that have none; 1 under a mere constraint."""
    if not model.penalty.has_strength:
        return 1.0
    return model.path_alphas(X, y, 1, sample_weight=w)[0]


def check(penalty, loss, design, strength=0.15, tol=1e-10, every=True):
    """Fit by every solver that applies; compare with the reference."""
    layout, parameters = DESIGNS[design]
    if penalty.constrained and "feature_weights" in parameters:  # positive=True and a weight of 0 exclude each other
        parameters = parameters | {"feature_weights": np.where(WEIGHTS == 0, 0.1, WEIGHTS)}
    X, y, w = data(loss, **layout)
    model = make(penalty, loss, tol=tol, max_iter=100_000, **parameters)
    model.set_params(penalty=penalty.with_alpha(strength * largest_strength(model, X, y, w)))
    reference = Reference(model, X, y, w)
    best = reference.optimum()
    for solver in solvers(penalty, loss, "stacked" in layout, every):
        model.set_params(solver=solver).fit(X, y, w)
        scale = model.history_["objective"][0]  # at zero coefficients
        assert model.converged_ and model.dual_gap_ <= tol * scale
        assert reference.of(model) == pytest.approx(model.objective_, rel=1e-12)
        rounding = 1e-13 * scale
        assert model.objective_ <= best + model.dual_gap_ + rounding, "the gap is below what is left"
        assert best <= model.objective_ + 1e-7 * scale, "the reference is not solved"
        low = model.history_["objective"] - model.history_["gap"]
        assert low.max() <= best + rounding, "a lower bound on the way is above the optimum"


def leaves_free(penalty):
    """Whether a penalty leaves directions free, which softmax tasks do not allow."""
    return penalty.bind([(t, None) for t in range(N_TASKS)]).null_columns(N_TASKS) is not None


def pairs():
    """Every penalty with every design, every loss with both."""
    for i, penalty in enumerate(PENALTIES):
        for j, design in enumerate(DESIGNS):
            loss = list(LOSSES)[(i + 2 * j) % len(LOSSES)]
            loss = "squared" if loss == "softmax" and leaves_free(PENALTIES[penalty]) else loss
            marks = [] if (i + j) % 3 == 0 else [pytest.mark.slow]
            yield pytest.param(penalty, loss, design, (i + j) % 4 == 0, id=f"{penalty}-{loss}-{design}", marks=marks)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("penalty", "loss", "design", "every"), list(pairs()))
def test_gap_against_the_truth(penalty, loss, design, every):
    check(PENALTIES[penalty], LOSSES[loss], design, every=every)


@pytest.mark.slow
@pytest.mark.parametrize(("penalty", "loss"), list(product(PENALTIES | MORE_PENALTIES, LOSSES)))
@pytest.mark.parametrize("strength", [0.5, 0.01])
def test_gap_against_the_truth_everywhere(penalty, loss, strength):
    if loss == "softmax" and leaves_free((PENALTIES | MORE_PENALTIES)[penalty]):
        return
    for design in DESIGNS:
        check((PENALTIES | MORE_PENALTIES)[penalty], LOSSES[loss], design, strength)
