"""Many strengths at once: the same solutions as one after the other, each with a certificate of its own."""

import array_api_strict
import numpy as np
import pytest

from mtlreg import (
    L1,
    L21,
    BlockMCP,
    BlockSparseRegressor,
    Dirty,
    Graph,
    L1Linf,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    TraceNorm,
)
from mtlreg.path import solve_path
from mtlreg.solvers import batch, solve

TOL = 1e-7
PENALTIES = [
    L1(),
    L21(),
    L21(positive=True),
    L1Linf(),
    L1Lq(q=3.0),
    L1(positive=True),
    L1Linf(positive=True),
    SparseGroup(entry_ratio=0.3),
    SparseGroup(q=np.inf, positive=True),
    L21(alpha_ridge=0.1),
    SparseGroup(alpha_ridge=0.01),
]


def encoded(penalty, seed=0, n=30, p=40, n_tasks=3, missing=False, loss="squared", weights=None, **settings):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1
    Y = X[:, :4] @ rng.standard_normal((min(p, 4), n_tasks)) + rng.standard_normal((n, n_tasks))
    estimator = MultiTaskRegressor
    if loss in ("logistic", "squared_hinge"):
        estimator, Y = MultiTaskClassifier, (np.median(Y, axis=0) < Y).astype(float)
    if missing:
        Y[rng.random(Y.shape) < 0.3] = np.nan
    return estimator(penalty, loss=loss, **settings)._encode(X, Y, weights, alpha=1.0)[0].problem


def grid(problem, count=6):
    return (problem.alpha_max * np.geomspace(1.1, 0.02, count)).tolist()


def check(problems, strengths):
    """Every solution is certified, by its own dual point and by the problem's, and is what `solve` finds."""
    found = list(batch.solve_batches(problems, strengths, tol=TOL, max_iter=100_000))
    assert [len(of_strength) for of_strength in found] == [len(problems)] * len(strengths)
    for alpha, of_strength in zip(strengths, found, strict=True):
        for problem, solution in zip(problems, of_strength, strict=True):
            one = problem.with_alpha(alpha)
            reference = solve(one, tol=1e-10)
            assert solution.converged and solution.gap <= solution.tolerance == pytest.approx(TOL * one.null.value)
            assert abs(solution.objective - reference.objective) <= 1.01 * solution.tolerance
            certificate = one.certify(solution.x, solution.Z)
            assert certificate.objective == pytest.approx(solution.objective, rel=1e-10)
            bound = solution.objective - solution.gap
            assert bound <= reference.objective + 1e-12 * one.null.value, "the bound is above the truth"
    return found


@pytest.mark.sampled(2)
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize(
    "settings",
    [{}, {"fit_intercept": False}, {"missing": True}, {"standardize": True, "missing": True}, {"n_tasks": 1, "p": 1}],
    ids=str,
)
def test_solutions_are_those_of_one_strength_after_the_other(penalty, settings):
    problem = encoded(penalty, **settings)
    assert batch.applies(problem)
    found = check([problem], grid(problem))
    if not penalty.alpha_ridge:
        assert not found[0][0].x.any() and found[0][0].n_iter == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "squared_hinge"])
@pytest.mark.parametrize("penalty", [L21(), SparseGroup(), L1Linf(alpha_ridge=0.1)], ids=str)
@pytest.mark.parametrize("settings", [{}, {"fit_intercept": False, "missing": True}, {"standardize": True}], ids=str)
def test_parts_of_the_rows_with_other_losses(loss, penalty, settings):
    n = 60
    weights = [np.ones(n), np.r_[np.zeros(20), np.ones(40)], np.r_[np.ones(30), np.zeros(15), np.full(15, 0.5)]]
    problems = [encoded(penalty, n=n, loss=loss, weights=w, **settings) for w in weights]
    assert all(batch.applies(problem) for problem in problems)
    check(problems, grid(problems[0], 4))


def test_what_it_leaves_to_others():
    X, Y = np.random.default_rng(0).standard_normal((2, 30, 3))
    for penalty in (TraceNorm(), Dirty(), BlockMCP(), Graph([(0, 1, 1.0)])):
        assert not batch.applies(encoded(penalty))
    for loss in ("poisson", "calibrated", ["squared", "huber", "squared"]):
        problem = MultiTaskRegressor(L21(), loss=loss)._encode(X, Y.round() ** 2, None, alpha=1.0)[0].problem
        assert not batch.applies(problem)
    assert not batch.handles(encoded(L21()), "auto", 5)  # on the host one after the other is faster


def test_a_batch_that_does_not_fit_is_split(monkeypatch):
    problem = encoded(L21())
    strengths, sizes, run = grid(problem), [], batch._solve_together

    def limited(problems, places, latest, max_iter):
        sizes.append(len(places))
        if len(places) > 2:
            raise MemoryError
        return run(problems, places, latest, max_iter)

    whole = list(batch.solve_batches([problem], strengths, tol=TOL, max_iter=10_000))
    monkeypatch.setattr(batch, "_solve_together", limited)
    with pytest.warns(UserWarning, match="at a time") as said:
        parts = list(batch.solve_batches([problem], strengths, tol=TOL, max_iter=10_000))
    assert sizes == [6, 3, 2, 2, 2] and "2 problems at a time" in str(said[-1].message)
    for (one,), (other,) in zip(whole, parts, strict=True):
        assert abs(one.objective - other.objective) <= one.tolerance
    monkeypatch.setattr(batch, "free_memory", lambda X: 1)
    sizes.clear()
    found = list(batch.solve_batches([problem, problem], strengths, tol=TOL, max_iter=10_000))
    assert len(found) == 6 and sizes == [1] * 12
    for (one,), others in zip(whole, found, strict=True):
        assert all(abs(one.objective - other.objective) <= one.tolerance for other in others)


def test_iterations_that_do_not_suffice_are_said():
    problem = encoded(L21())
    with pytest.warns(UserWarning, match="after 3 iterations"):
        found = list(batch.solve_batches([problem], grid(problem)[-2:], tol=TOL, max_iter=3))
    assert not found[-1][0].converged and found[-1][0].gap > found[-1][0].tolerance


def test_a_curvature_that_was_too_small_is_raised(monkeypatch):
    problem = encoded(L21())
    for too_small in (1e-3, 1e-12):
        monkeypatch.setattr(type(problem), "lipschitz", lambda self, eta=None, too_small=too_small: too_small)
        check([problem], grid(problem))
        problem = encoded(L21())
        one = problem.with_alpha(0.1 * problem.alpha_max)
        assert solve(one, "fista", tol=TOL).converged


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_paths_of_arrays_elsewhere_are_batches(dtype, monkeypatch):
    from sklearn import config_context

    called, whole = [], batch.solve_batches

    def counted(*arguments, **settings):
        called.append(arguments)
        return whole(*arguments, **settings)

    monkeypatch.setattr(batch, "solve_batches", counted)
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 40)).astype(dtype), rng.standard_normal((30, 3))
    with config_context(array_api_dispatch=True):
        there = BlockSparseRegressor().path(array_api_strict.asarray(X), Y, 5)
    here = BlockSparseRegressor().path(X, Y, 5)
    assert len(called) == 1 and there.converged.all()
    np.testing.assert_allclose(there.objectives, here.objectives, rtol=1e-4)
    np.testing.assert_allclose(there.coefs, here.coefs, atol=5e-3)


def test_solve_path_refuses_zero_before_all_else():
    with pytest.raises(ValueError, match="alphas must be > 0"):
        list(solve_path(encoded(L21()), np.array([1.0, 0.0]), "auto"))
