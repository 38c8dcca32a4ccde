"""What a GPU is waited for: nothing in a step of FISTA, alone or for many problems, only at the end of a stretch.

On the stand-in of `on_host`, which counts; `test_on_host` runs these tests there.
"""

from importlib import import_module

import numpy as np
import pytest
from cuda import cupy_or_skip
from sklearn import config_context

from mtlreg import (
    L1,
    L21,
    Coupled,
    Dirty,
    GraphFused,
    L1Linf,
    L1Lq,
    MeanRegularized,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    TotalVariation,
    TraceNorm,
    TreeGroups,
)
from mtlreg.data import melt
from mtlreg.solvers import batch
from mtlreg.solvers._base import State

fista = import_module("mtlreg.solvers.fista")  # the package has the function under this name
N, P, T = 20, 40, 3  # more features than rows, so that nothing has converged when the counting ends
STRETCH = 3  # the quadratic model takes two, and whether anything has moved is one
GRAPH = [(0, 1, 1.0), (1, 2, -0.7)]
PENALTIES = {
    "l1": L1(),
    "l1 positive": L1(positive=True),
    "l21": L21(),
    "l21 positive": L21(positive=True),
    "l21+ridge": L21(alpha_ridge=0.1),
    "l1linf": L1Linf(),
    "l1lq": L1Lq(q=3.0),
    "sparse group": SparseGroup(entry_ratio=0.3),
    "tree": TreeGroups(tree=[((0, 1), 0.8), ((2,), 0.5), ((0, 1, 2), 1.0)]),
    "total variation": TotalVariation(),
    "graph": GraphFused(graph=GRAPH),
    "dirty": Dirty(),
    "mean": MeanRegularized(),
    "coupled": Coupled(L21(), MeanRegularized()),
}
LOSSES = ["squared", "huber", "logistic", "squared_hinge", "softmax"]
doors = pytest.mark.parametrize("door", ["shared", "column"])
pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def cupy():
    there = cupy_or_skip()
    if not hasattr(there, "counts"):
        pytest.skip("CuPy itself does not count")
    with config_context(array_api_dispatch=True):
        yield there


def test_what_the_stand_in_refuses_and_counts(cupy):
    a, b = cupy.asarray([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2))
    for mixed in (
        lambda: a + b,
        lambda: b + a,
        lambda: b @ a,
        lambda: cupy.maximum(a, b),
        lambda: cupy.stack([a, b]),
        lambda: np.asarray(a),
        lambda: np.sum([a, a]),
        lambda: a.__setitem__(0, b[0]),
    ):
        with pytest.raises(TypeError, match="Unsupported type|not allowed"):
            mixed()
    copied = cupy.asarray(b)
    b[:] = 0.0
    cupy.counts.reads = 0
    total = cupy.sum(copied)
    assert isinstance(total, cupy.ndarray) and total.shape == () and cupy.counts.reads == 0
    assert float(total) == int(total) == total.item() == total.tolist() == 4 and bool(total)
    assert cupy.counts.reads == 5
    assert a[a > 1.5].shape == (3,) and cupy.counts.reads == 6


def problem_there(cupy, penalty, loss, door, standardize=False):
    """A problem with arrays there; some labels are missing."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P))
    Y = X[:, :2] @ rng.standard_normal((2, T)) + rng.standard_normal((N, T))
    if loss == "softmax":
        Y = np.digitize(Y, [-0.5, 0.5]).astype(float)
    elif loss in ("logistic", "squared_hinge"):
        Y = (Y > 0).astype(float)
    elif loss == "poisson":
        Y = np.exp(0.3 * Y).round()
    Y[::5, 1] = np.nan
    if door == "column":
        X, Y = melt(X, Y)
    kind = MultiTaskClassifier if loss in LOSSES[2:] else MultiTaskRegressor
    settings = {"task_feature": -1 if door == "column" else None, "standardize": standardize}
    model = kind(penalty, loss="logistic" if loss == "softmax" else loss, **settings)
    problem = model._encode(cupy.asarray(X), cupy.asarray(Y), None, alpha=1.0)[0].problem
    assert isinstance(problem.y, cupy.ndarray) and isinstance(problem.design.X, cupy.ndarray)
    return problem


def reads_between_states(cupy, monkeypatch, problem, every):
    """How often is read between the first two states, and how many kernels are launched."""
    monkeypatch.setattr(fista, "CHECK_EVERY", every)
    problem = problem.with_alpha(0.02)
    states = fista.fista(problem, State(problem.origin, problem.null.Z), max_iter=1000, tolerance=0.0)
    assert next(states).n_iter == 0
    cupy.counts.reads = cupy.counts.launches = 0
    assert next(states).n_iter == every
    counted = cupy.counts.reads, cupy.counts.launches
    assert bool(cupy.any(next(states).x != 0))
    return counted


def check_stretches(cupy, monkeypatch, problem, a_step=0):
    """Reads at the end of a stretch, and as many as known in each of its steps."""
    (few, launched), (many, more) = (reads_between_states(cupy, monkeypatch, problem, every) for every in (10, 30))
    assert (few, many) == (STRETCH + 10 * a_step, STRETCH + 30 * a_step)
    assert launched >= 10 and more == 3 * launched


@doors
@pytest.mark.parametrize("penalty", PENALTIES)
def test_no_step_reads(cupy, monkeypatch, penalty, door):
    loss = "squared" if door == "shared" else "huber"
    check_stretches(cupy, monkeypatch, problem_there(cupy, PENALTIES[penalty], loss, door))


@doors
@pytest.mark.parametrize("loss", LOSSES)
def test_whatever_the_loss(cupy, monkeypatch, loss, door):
    check_stretches(cupy, monkeypatch, problem_there(cupy, L21(), loss, door))


@doors
@pytest.mark.parametrize("standardize", [True, "per_task"])
def test_whatever_the_scales(cupy, monkeypatch, standardize, door):
    check_stretches(cupy, monkeypatch, problem_there(cupy, L21(), "logistic", door, standardize))


@doors
def test_trace_norm_reads_in_every_step(cupy, monkeypatch, door):
    """The scale of W, its norm, and how many singular values stay; and cuSOLVER waits for its eigenvectors."""
    check_stretches(cupy, monkeypatch, problem_there(cupy, TraceNorm(), "squared", door), a_step=4)


@doors
@pytest.mark.parametrize("loss, a_step", [("calibrated", 4), ("poisson", 16)])
def test_curvature_that_is_looked_at_in_every_step(cupy, monkeypatch, loss, a_step, door):
    """Two or three sums for the quadratic model and one for the value.

    Poisson loss has two values, a look at restarts, and the exact intercepts, at the point ahead and at the new one: a
    read for each of their few Newton steps.
    """
    problem = problem_there(cupy, L21(), loss, door)
    for every in (10, 30):
        reads, _ = reads_between_states(cupy, monkeypatch, problem, every)
        assert reads <= 1 + every * a_step


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("penalty", ["l21", "l1 positive", "sparse group", "l21+ridge"])
@pytest.mark.parametrize("loss", LOSSES[:4])
def test_batches_read_at_their_certificates(cupy, monkeypatch, penalty, loss):
    problem = problem_there(cupy, PENALTIES[penalty], loss, "shared")
    assert batch.handles(problem, "auto", 2)
    advance, found = batch.Walk.advance, []

    def counted(walk, count):
        cupy.counts.reads = cupy.counts.launches = 0
        advance(walk, count)
        found.append((count, cupy.counts.reads, cupy.counts.launches))

    monkeypatch.setattr(batch.Walk, "advance", counted)
    grid = problem.alpha_max * np.asarray([0.1, 0.05])
    for every in (10, 30):
        monkeypatch.setattr(batch, "CHECK_EVERY", every)
        list(batch.solve_batches([problem], grid, tol=0.0, max_iter=2 * every))
    assert {count for count, *_ in found} == {10, 30}
    assert all(reads <= 3 for _, reads, _ in found)  # all of them to see whether the model holds
    assert min(n for count, _, n in found if count == 30) > 2.5 * min(n for count, _, n in found if count == 10)
