"""Solvers: the public check on all of them, and the driver."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from mtlreg import MultiTaskRegressor
from mtlreg.penalties import (
    L1,
    L21,
    Chain,
    Coupled,
    InfimalConvolution,
    L1Linf,
    MeanRegularized,
    SparseGroup,
    TemporalSmooth,
    Transposed,
)
from mtlreg.solvers import State, solve
from mtlreg.solvers._choose import SOLVERS
from mtlreg.testing import check_solver, sample_problem

SCALAR = ("squared", "logistic", "poisson", "huber", "squared_hinge")
CHECKED = {
    "fista": SCALAR,
    "working_set": SCALAR,
    "prox_newton": SCALAR,
    "coordinate_descent": ("squared",),
    "newton_cg": SCALAR,
    "spectral": (),  # in test_spectral_solver
    "auto": SCALAR,
}
QUADRATIC = [MeanRegularized(0.3, 0.1), TemporalSmooth(1.0), TemporalSmooth(0.2, alpha_ridge=0.5), MeanRegularized(0.5)]


def test_every_solver_is_checked():
    assert set(CHECKED) == {*SOLVERS, "auto"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("solver", "loss"), [(s, loss) for s, losses in CHECKED.items() for loss in losses])
def test_check_solver(solver, loss):
    penalties = QUADRATIC if solver == "newton_cg" else None
    check_solver(solver, losses=(loss,), penalties=penalties)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize(
    "penalty",
    [
        InfimalConvolution([("a", L1Linf(0.3)), ("b", L1(0.2))]),
        Chain([L21(0.1), L1(0.1)], alpha_ridge=0.1),
        Transposed(L21(0.3)),
        MeanRegularized(0.3),
        Coupled(L21(0.2), TemporalSmooth(0.5)),
        Coupled(InfimalConvolution([("a", L21(0.3)), ("b", L1(0.2))]), MeanRegularized(0.2)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_check_solver_on_other_penalties(penalty, loss):
    check_solver("fista", [sample_problem(loss, penalty, stacked=stacked) for stacked in (False, True)])


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_couplings_that_leave_directions_free_where_features_are_collinear(loss):
    # what the data do not determine must not be blown up, nor spoil the certificate
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))[:, [0, 0, 1, 1, 2]]
    Y = X @ rng.standard_normal((5, 3)) + 2 * rng.standard_normal((30, 3))
    Y = Y if loss == "squared" else (Y > 0).astype(float)
    for y in (Y, Y[:, 0]):  # of one task the mean is all there is
        model = MultiTaskRegressor(MeanRegularized(0.3), loss=loss, tol=1e-9).fit(X, y)
        assert model.converged_ and model.dual_gap_ <= 1e-9 * model.history_["objective"][0]
        assert np.abs(model.coef_).max() < 10
    fitted = MultiTaskRegressor(MeanRegularized(0.3), loss=loss, tol=1e-9, solver="newton_cg").fit(X, y)
    np.testing.assert_allclose(model.predict(X), fitted.predict(X), atol=1e-4)


# -- the check finds what is wrong --


def gives_up(problem, state, *, max_iter, tolerance):
    yield state
    state.stalled = True
    yield state


def wanders(problem, state, *, max_iter, tolerance):
    """FISTA whose states carry another x than the one it reached."""
    for one in SOLVERS["fista"](problem, state, max_iter=max_iter, tolerance=tolerance):
        yield State(one.x * 1.01, one.Z, one.n_iter)


@pytest.mark.parametrize("solver", [gives_up, wanders])
def test_check_solver_finds_what_is_broken(solver):
    with pytest.raises(AssertionError, match="iterations, not"):
        check_solver(solver, losses=("squared",), max_iter=200)


def test_check_solver_finds_a_false_certificate(monkeypatch):
    problem = sample_problem("squared", L21(0.3))
    honest = type(problem).certify

    def optimistic(self, x, Z=None):
        certificate = honest(self, x, Z)
        certificate.dual = 0.1 * certificate.dual + 0.9 * certificate.objective
        return certificate

    monkeypatch.setattr(type(problem), "certify", optimistic)
    with pytest.raises(AssertionError, match="is certified"):
        check_solver("fista", [problem])


# -- the driver --


@pytest.fixture
def problem():
    return sample_problem("logistic", SparseGroup(0.02, entry_ratio=0.3))


def test_solution(problem):
    solution = solve(problem, tol=1e-8)
    assert solution.converged
    assert solution.gap <= solution.tolerance == 1e-8 * problem.null.value
    iterations, seconds, objectives, gaps = np.array(solution.history).T
    assert iterations[0] == 0
    assert (np.diff(iterations) >= 0).all()
    assert (np.diff(seconds) >= 0).all()
    assert objectives[0] == pytest.approx(problem.null.value, rel=1e-14)
    assert objectives[-1] == solution.objective
    assert gaps[-1] == solution.gap


def test_same_result_twice(problem):
    first, second = (solve(problem, tol=1e-8) for _ in range(2))
    assert_array_equal(first.x, second.x)
    assert (first.n_iter, first.gap, first.objective) == (second.n_iter, second.gap, second.objective)


@pytest.mark.parametrize("solver", ["fista", "working_set", "prox_newton"])
def test_warns_with_the_gap_it_reached(problem, solver):
    with pytest.warns(ConvergenceWarning, match="The duality gap reached .* not 1e-10, after"):
        solution = solve(problem, solver, tol=1e-10, max_iter=2)
    assert not solution.converged
    truth = solve(problem, tol=1e-12).objective
    assert solution.objective - solution.gap <= truth <= solution.objective


def test_no_warning_where_none_is_wanted(problem):
    assert not solve(problem, "fista", tol=1e-10, max_iter=2, warn=False).converged


def test_best_iterate_is_kept(problem):
    """Of FISTA's iterates, whose objective is not monotone, the lowest is returned."""
    solution = solve(problem, "fista", tol=1e-14, max_iter=30, warn=False)
    assert solution.objective == min(objective for _, _, objective, _ in solution.history)


def test_callback_sees_every_certificate_and_stops(problem):
    seen = []

    def stop(state):
        seen.append(state.certificate.gap)
        return len(seen) == 3

    solution = solve(problem, "fista", tol=1e-12, callback=stop)
    assert len(seen) == len(solution.history) == 3
    assert not solution.converged


def test_start_at_a_solution(problem):
    first = solve(problem, tol=1e-9)
    again = solve(problem, start=first, tol=1e-8)
    assert again.n_iter == 0
    assert_array_equal(again.x, first.x)
    near = solve(problem.with_alpha(0.021), start=first, tol=1e-9)
    assert near.n_iter < solve(problem.with_alpha(0.021), tol=1e-9).n_iter


def test_start_is_not_changed(problem):
    first = solve(problem, tol=1e-3)
    before = first.x.copy()
    solve(problem, start=first, tol=1e-9)
    assert_array_equal(first.x, before)


def test_verbose_prints_gaps(problem, capsys):
    solution = solve(problem, "fista", verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(solution.history)
    assert all(line.startswith("[mtlreg] iteration") and "gap" in line for line in lines)


def test_zero_is_optimal_from_alpha_max(problem):
    alpha = problem.alpha_max
    assert not solve(problem.with_alpha(alpha), tol=1e-12).x.any()
    assert solve(problem.with_alpha(alpha * (1 - 1e-6)), tol=1e-13).x.any()


@pytest.mark.parametrize(
    ("solver", "loss", "penalty", "message"),
    [
        ("newton", "squared", L1(), "give 'auto' or one of"),
        ("working_set", "squared", Transposed(L21()), "sum over rows, not Transposed"),
        ("coordinate_descent", "logistic", L1(), "needs squared loss"),
        ("coordinate_descent", "squared", InfimalConvolution([("a", L1()), ("b", Transposed(L21()))]), "sum over rows"),
        ("prox_newton", "logistic", Transposed(L21()), "sum over rows"),
    ],
)
def test_solvers_that_do_not_apply(solver, loss, penalty, message):
    with pytest.raises(ValueError, match=message):
        solve(sample_problem(loss, penalty), solver)


def test_variants_of_a_problem_share_what_they_can(problem):
    other = problem.with_alpha(0.5)
    assert other.null is problem.null
    assert other.alpha_max == problem.alpha_max
    part = problem.restrict(np.array([0, 3]))
    assert part.null is problem.null
    assert part.zero.shape == (2, 3)
    assert_allclose(part.null_gradient, problem.null_gradient[[0, 3]], rtol=1e-12, atol=1e-15)
