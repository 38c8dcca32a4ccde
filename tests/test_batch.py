"""Many strengths at once: the same solutions as one after the other, each with a certificate of its own."""

import array_api_strict
import numpy as np
import pytest

from mtlreg import L1, L21, BlockSparseRegressor, L1Linf, L1Lq, MultiTaskRegressor, SparseGroup, TraceNorm
from mtlreg.path import solve_path
from mtlreg.solvers import batch, solve

TOL = 1e-7
PENALTIES = [L1(), L21(), L21(positive=True), L1Linf(), L1Lq(q=3.0), L1(positive=True), L1Linf(positive=True)]


def encoded(penalty, seed=0, n=30, p=40, n_tasks=3, missing=False, **settings):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1
    Y = X[:, :4] @ rng.standard_normal((min(p, 4), n_tasks)) + rng.standard_normal((n, n_tasks))
    if missing:
        Y[rng.random(Y.shape) < 0.3] = np.nan
    return MultiTaskRegressor(penalty, **settings)._encode(X, Y, None, alpha=1.0)[0].problem


def grid(problem, count=6):
    return (problem.alpha_max * np.geomspace(1.1, 0.02, count)).tolist()


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize(
    "settings",
    [{}, {"fit_intercept": False}, {"missing": True}, {"standardize": True, "missing": True}, {"n_tasks": 1, "p": 1}],
    ids=str,
)
def test_solutions_are_those_of_one_strength_after_the_other(penalty, settings):
    problem = encoded(penalty, **settings)
    assert batch.applies(problem)
    strengths = grid(problem)
    found = list(batch.solve_batches(problem, strengths, tol=TOL, max_iter=100_000))
    for alpha, solution in zip(strengths, found, strict=True):
        one = problem.with_alpha(alpha)
        reference = solve(one, tol=1e-10)
        assert solution.converged and solution.gap <= solution.tolerance == pytest.approx(TOL * one.null.value)
        assert abs(solution.objective - reference.objective) <= 1.01 * solution.tolerance
        certificate = one.certify(solution.x, solution.Z)
        assert certificate.objective == pytest.approx(solution.objective, rel=1e-10)
        assert certificate.gap <= 3 * solution.tolerance  # that of this x alone
    assert not found[0].x.any() and found[0].n_iter == 0


def test_what_it_leaves_to_others():
    for penalty in (SparseGroup(), TraceNorm(), L21(alpha_ridge=0.1)):
        assert not batch.applies(encoded(penalty))
    assert not batch.applies(encoded(L21(), loss="huber"))
    assert not batch.handles(encoded(L21()), "auto", 5)  # on the host one after the other is faster


def test_a_batch_that_does_not_fit_is_split(monkeypatch):
    problem = encoded(L21())
    strengths, sizes, run = grid(problem), [], batch._Batch.run

    def limited(self, max_iter):
        sizes.append(len(self.grid))
        if len(self.grid) > 2:
            raise MemoryError
        return run(self, max_iter)

    whole = list(batch.solve_batches(problem, strengths, tol=TOL, max_iter=10_000))
    monkeypatch.setattr(batch._Batch, "run", limited)
    with pytest.warns(ResourceWarning, match="at a time") as said:
        parts = list(batch.solve_batches(problem, strengths, tol=TOL, max_iter=10_000))
    assert sizes == [6, 3, 2, 2, 2] and "2 strengths at a time" in str(said[-1].message)
    for one, other in zip(whole, parts, strict=True):
        assert abs(one.objective - other.objective) <= one.tolerance
    monkeypatch.setattr(batch, "free_memory", lambda X: 1)
    sizes.clear()
    assert len(list(batch.solve_batches(problem, strengths, tol=TOL, max_iter=10_000))) == 6 and sizes == [1] * 6


def test_iterations_that_do_not_suffice_are_said():
    problem = encoded(L21())
    with pytest.warns(UserWarning, match="after 3 iterations"):
        found = list(batch.solve_batches(problem, grid(problem)[-2:], tol=TOL, max_iter=3))
    assert not found[-1].converged and found[-1].gap > found[-1].tolerance


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
