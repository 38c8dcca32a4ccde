"""Best splits into sums over rows: their parts share the sweeps of plain row penalties."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from mtlreg import (
    L1,
    L21,
    Chain,
    InfimalConvolution,
    L1Linf,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    Transposed,
    melt,
)
from mtlreg.solvers import solve
from mtlreg.solvers._choose import choose
from mtlreg.solvers.descent import batches, coordinate_descent
from mtlreg.solvers.fista import fista
from mtlreg.solvers.newton import prox_newton
from mtlreg.solvers.task_gram import TaskColumns
from mtlreg.solvers.working_set import inner_solver, working_set
from mtlreg.testing import check_solver, sample_problem


def split(*parts, alpha=1.0):
    return InfimalConvolution([(f"part {k}", part) for k, part in enumerate(parts)], alpha)


PENALTIES = {
    "l21 + l1": split(L21(1.0), L1(0.7)),
    "l1linf + l1": split(L1Linf(1.0), L1(0.5)),
    "ridge": split(L21(1.0, alpha_ridge=0.05), L1(0.7)),
    "positive": split(L21(1.0, positive=True), L1(0.8)),
    "all positive": split(L1Linf(1.0, positive=True), L1(0.6, positive=True)),
    "three": split(L1Linf(1.2), L21(0.8), L1(0.5)),
    "chain": split(Chain([L1(0.2), L21(0.7)]), L1(0.7)),
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
LOSSES = ["squared", "logistic", "poisson", "huber"]


def data(loss="squared", n=40, p=30, n_tasks=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.3
    W = rng.standard_normal((p, n_tasks)) * (np.arange(p) < 3)[:, None] * 0.5
    W[3:8] += rng.standard_normal(W[3:8].shape) * (rng.random(W[3:8].shape) < 0.3)
    Y = X @ W + 0.5 * rng.standard_normal((n, n_tasks))
    if loss == "poisson":
        Y = rng.poisson(np.exp(np.clip(Y, -2, 2))).astype(float)
    elif loss == "logistic":
        Y = (Y > np.median(Y, axis=0)).astype(float)
    return X, Y


def missing(Y, seed=1):
    return np.where(np.random.default_rng(seed).random(Y.shape) < 0.25, np.nan, Y)


LAYOUTS = {
    "dense": lambda X, Y: (X, Y, {}),
    "sparse": lambda X, Y: (sparse.csr_array(X * (np.abs(X) > 0.5)), Y, {}),
    "stacked": lambda X, Y: (*melt(X, Y), {"task_feature": -1}),
    "missing": lambda X, Y: (X, missing(Y), {}),
    "missing, sparse": lambda X, Y: (sparse.csr_array(X * (np.abs(X) > 0.5)), missing(Y), {}),
    "float32": lambda X, Y: (X.astype(np.float32), Y.astype(np.float32), {}),
}


def fitted(penalty, X, Y, share, w=None, **parameters):
    model = MultiTaskRegressor(penalty, **parameters)
    return model.set_params(penalty=penalty.with_alpha(share * model.alpha_max(X, Y, w))).fit(X, Y, w)


# -- the same optimum as by the method for every penalty --


def check_same_optimum(penalty, loss, layout):
    X, Y, parameters = LAYOUTS[layout](*data(loss))
    w = np.random.default_rng(2).uniform(0.2, 2.0, X.shape[0])
    single = X.dtype == np.float32
    parameters |= {"loss": loss, "tol": 2e-5 if single else 1e-8, "max_iter": 50_000}
    fast = fitted(penalty, X, Y, 0.1, w, **parameters)
    slow = fitted(penalty, X, Y, 0.1, w, solver="fista", **parameters)
    assert fast.converged_
    assert slow.converged_
    assert fast.coef_.dtype == X.dtype
    scale = fast.history_["objective"][0]
    rounding = (1e-6 if single else 1e-13) * scale
    assert fast.objective_ - fast.dual_gap_ <= slow.objective_ + rounding
    assert slow.objective_ - slow.dual_gap_ <= fast.objective_ + rounding
    for name, part in penalty.parts:
        if part.constrained:
            assert fast.components_[name].min() >= 0
    assert_allclose(sum(fast.components_.values()), fast.coef_, rtol=1e-5, atol=1e-12)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("layout", LAYOUTS)
@every_penalty
def test_same_optimum_as_fista(penalty, layout):
    turn = list(PENALTIES.values()).index(penalty) + list(LAYOUTS).index(layout)
    check_same_optimum(penalty, LOSSES[turn % len(LOSSES)], layout)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("loss", LOSSES)
@every_penalty
def test_same_optimum_as_fista_everywhere(penalty, loss, layout):
    check_same_optimum(penalty, loss, layout)


@pytest.mark.parametrize(
    ("solver", "loss"),
    [
        ("coordinate_descent", "squared"),
        ("working_set", "squared"),
        ("working_set", "logistic"),
        ("prox_newton", "logistic"),
    ],
)
def test_check_solver(solver, loss):
    penalties = [split(L21(0.3), L1(0.2)), split(L1Linf(0.3, positive=True), L1(0.1, alpha_ridge=0.1))]
    check_solver(solver, [sample_problem(loss, p, stacked=stacked) for p in penalties for stacked in (False, True)])


def test_softmax():
    X, Y = data()
    Y = np.digitize(Y, [-0.7, 0.7])
    models = [
        MultiTaskClassifier(split(L21(0.02), L1(0.015)), tol=1e-8, max_iter=50_000, solver=solver).fit(X, Y)
        for solver in ("auto", "fista")
    ]
    fast, slow = models
    assert fast.converged_ and slow.converged_
    assert abs(fast.objective_ - slow.objective_) <= max(fast.dual_gap_, slow.dual_gap_)


def test_moments_stand_in_for_many_rows():
    X, Y = data(n=500, p=20)
    penalty = PENALTIES["l21 + l1"]
    fast = fitted(penalty, X, Y, 0.1, tol=1e-10)
    slow = fitted(penalty, X, Y, 0.1, tol=1e-10, solver="coordinate_descent")
    assert_allclose(fast.coef_, slow.coef_, atol=1e-5)
    assert abs(fast.objective_ - slow.objective_) <= 2e-10 * fast.history_["objective"][0]


def test_a_part_too_dear_is_not_used():
    X, Y = data()
    alpha = 0.1 * MultiTaskRegressor(L21()).alpha_max(X, Y)
    alone = MultiTaskRegressor(L21(alpha), tol=1e-12).fit(X, Y)
    both = MultiTaskRegressor(split(L21(alpha), L1(10 * alpha)), tol=1e-12).fit(X, Y)
    assert not both.components_["part 1"].any()
    assert_allclose(both.coef_, alone.coef_, atol=1e-11)


def test_chain_of_entries_and_rows_is_the_sparse_group():
    X, Y = data()
    chain = fitted(Chain([L1(0.3), L21(0.7)], alpha_ridge=0.01), X, Y, 0.1, tol=1e-10)
    group = fitted(SparseGroup(entry_ratio=0.3, alpha_ridge=0.01), X, Y, 0.1, tol=1e-10)
    assert chain.n_iter_ == group.n_iter_
    assert_allclose(chain.coef_, group.coef_, atol=1e-7)


# -- which solver, and what it works on --


def test_row_kernels():
    assert PENALTIES["l21 + l1"].with_alpha(2.0).row_kernels() == (
        (0.0, 2.0, 2.0, 0.0, False),
        (1.4, 0.0, 1.0, 0.0, False),
    )
    assert split(L21(), Transposed(L21())).row_kernels() == ()
    chain = Chain([L1Linf(0.5), L1(0.25)], alpha=2.0, alpha_ridge=0.3)
    assert chain.row_kernels() == ((0.5, 1.0, np.inf, 0.3, False),)
    assert Chain([L1(positive=True)]).row_kernels() == ((1.0, 0.0, 1.0, 0.0, True),)


def test_solver_is_chosen_by_the_parts():
    rows = sample_problem("squared", PENALTIES["l21 + l1"])
    assert choose("auto", rows) is working_set
    assert inner_solver(rows) is coordinate_descent
    assert inner_solver(sample_problem("logistic", PENALTIES["three"])) is prox_newton
    assert choose("auto", sample_problem("squared", split(L21(), Transposed(L21())))) is fista


def test_working_sets_hold_the_rows_of_every_part():
    X, Y = data(n=30, p=400)
    penalty = split(L1Linf(1.0), L1(0.7))
    model = fitted(penalty, X, Y, 0.3, tol=1e-10)
    shared, specific = model.components_.values()
    used = [set(np.flatnonzero(part.any(axis=0))) for part in (shared, specific)]
    assert used[0] - used[1]
    assert used[1] - used[0]
    slow = fitted(penalty, X, Y, 0.3, tol=1e-10, solver="coordinate_descent")
    assert_allclose(model.coef_, slow.coef_, atol=1e-5)


@every_penalty
def test_rows_are_zero_from_their_violation_on(penalty):
    rng = np.random.default_rng(0)
    V = rng.standard_normal((6, 4))
    violations = penalty.row_violations(V)
    for j in range(6):
        alone = V[[j]]
        assert (violations[j] > 0) == bool(penalty.prox(np.broadcast_to(alone, (len(penalty.parts), 1, 4)), 1.0).any())


# -- the sweeps --


def sweeps(penalty, loss="squared", **settings):
    problem = sample_problem(loss, penalty, n_features=12, n_tasks=5, **settings)
    return problem.with_alpha(0.1 * problem.alpha_max)


@pytest.mark.parametrize("stacked", [False, True])
@every_penalty
def test_objective_never_rises(penalty, stacked):
    problem = sweeps(penalty, stacked=stacked)

    def objective(x):
        return problem.smooth(problem.predictors(x)).value + problem.penalty.value(x)

    values, generator = [], batches(problem, problem.zero, lambda: problem.null.Z)
    for _, (x, _) in zip(range(30), generator, strict=False):
        values.append(objective(x))
    assert values[0] < objective(problem.zero)
    assert (np.diff(values) <= 1e-14 * values[0]).all()


@every_penalty
def test_residual_is_that_of_the_sum(penalty):
    problem = sweeps(penalty, stacked=True)
    side = TaskColumns(problem)
    x = problem.zero
    residual = side.residual(x, problem.null.Z)
    kernels = np.array(problem.penalty.row_kernels(), dtype=float)
    for _ in range(3):
        side.sweep(residual, x, kernels)
    assert x.any()
    assert_allclose(residual, side.residual(x, problem.null.Z), atol=1e-14)


@every_penalty
def test_one_row_is_solved_jointly(penalty):
    """With one feature a few sweeps reach the optimum of the parts together, as on a common row they must."""
    problem = sample_problem("squared", penalty, n_features=1, n_tasks=5)
    problem = problem.with_alpha(0.3 * problem.alpha_max)
    solution = solve(problem, coordinate_descent, tol=1e-12, max_iter=100)
    assert solution.converged
    assert solution.n_iter <= 50


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_parts_are_exactly_sparse(loss):
    X, Y = data(loss, n=60, p=100)
    model = fitted(PENALTIES["l21 + l1"], X, Y, 0.3, loss=loss, tol=1e-9)
    shared, specific = model.components_.values()
    assert 0 < np.count_nonzero(shared.any(axis=0)) < 30
    assert 0 < np.count_nonzero(specific) < 30
    assert_array_equal(shared.any(axis=0), shared.all(axis=0))


# -- starts --


def test_starts():
    problem = sweeps(PENALTIES["l21 + l1"], "logistic")
    first = solve(problem, tol=1e-9)
    again = solve(problem, start=first, tol=1e-8)
    assert again.n_iter == 0
    assert_array_equal(again.x, first.x)
    near = problem.with_alpha(1.05 * problem.penalty.alpha)
    assert solve(near, start=first, tol=1e-9).n_iter < solve(near, tol=1e-9).n_iter


def test_path_is_that_of_single_fits():
    X, Y = data()
    model = MultiTaskRegressor(PENALTIES["l1linf + l1"], tol=1e-10)
    path = model.path(X, Y, alphas=5, eps=0.05)
    assert path.converged.all()
    for alpha, coef in zip(path.alphas, path.coefs, strict=True):
        one = MultiTaskRegressor(PENALTIES["l1linf + l1"].with_alpha(alpha), tol=1e-10).fit(X, Y)
        assert_allclose(coef, one.coef_, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@every_penalty
def test_zero_from_alpha_max_on(penalty, loss):
    problem = sample_problem(loss, penalty)
    top = problem.alpha_max
    for factor in (1.0, 1.7):
        solution = solve(problem.with_alpha(factor * top), tol=1e-12)
        assert solution.converged
        assert not solution.x.any()
    assert solve(problem.with_alpha(top * (1 - 1e-6)), tol=1e-13).x.any()


# -- degenerate data --


@pytest.mark.parametrize("shape", [(2, 1, 1), (20, 1, 3), (20, 5, 1), (4, 30, 3), (2, 5, 8)], ids=str)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@every_penalty
def test_shapes(penalty, loss, shape):
    X, Y = data(loss, *shape)
    model = fitted(penalty, X, Y, 0.1, loss=loss, tol=1e-9, fit_intercept=False)
    assert model.converged_
    assert model.coef_.shape == shape[:0:-1]


@pytest.mark.parametrize("layout", ["dense", "sparse", "stacked", "missing"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@every_penalty
def test_duplicate_constant_and_empty_columns(penalty, loss, layout):
    X, Y = data(loss, p=6)
    X = np.concatenate([X, X, X[:, :1], np.ones((len(X), 1)), np.zeros((len(X), 1))], axis=1)
    X, Y, parameters = LAYOUTS[layout](X, Y)
    model = fitted(penalty, X, Y, 0.05, loss=loss, tol=1e-9, **parameters)
    assert model.converged_
    assert not model.coef_[:, 13:].any()


@pytest.mark.parametrize("constant", [0.0, 3.0])
@every_penalty
def test_labels_that_do_not_vary(penalty, constant):
    X, Y = data()
    model = MultiTaskRegressor(penalty.with_alpha(0.1), tol=1e-9).fit(X, np.full_like(Y, constant))
    assert model.converged_
    assert not model.coef_.any()
