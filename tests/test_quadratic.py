"""Quadratic couplings: certificates against an independent solver, closed forms, equivalences, structure by task."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from reference import Reference
from scipy import linalg
from test_certificates import DESIGNS, LOSSES, data, make

from mtlreg import (
    L1,
    L21,
    ClusterNorm,
    Coupled,
    Graph,
    InfimalConvolution,
    MeanRegularized,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    SparseGroup,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TemporalSmooth,
    TotalVariation,
    Transposed,
)

EDGES = [(0, 1, 1.5), (1, 2, -0.5)]
PENALTIES = {
    "mean": MeanRegularized(0.3),
    "mean+ridge": MeanRegularized(0.3, alpha_ridge=0.1),
    "graph": Graph(EDGES, 0.5),
    "graph+ridge": Graph(EDGES, 0.5, alpha_ridge=0.1),
    "graph+l1": Graph(EDGES, 0.5, alpha_l1=0.05),
    "graph+l1+ridge": Graph(EDGES, 0.5, alpha_ridge=0.1, alpha_l1=0.05),
    "two components": Graph([(0, 2, 1.0)], 0.5),
    "time": TemporalSmooth(0.5),
    "time, order": TemporalSmooth(0.5, order=[2, 0, 1], alpha_ridge=0.05),
    "temporal group lasso": Coupled(L21(0.05), TemporalSmooth(0.5)),
    "positive": Coupled(SparseGroup(0.05, positive=True), MeanRegularized(0.5, 0.1)),
    "dirty beside a mean": Coupled(InfimalConvolution([("a", L21(0.06)), ("b", L1(0.05))]), MeanRegularized(0.2)),
}


def cases():
    for i, name in enumerate(PENALTIES):
        for j, design in enumerate(DESIGNS):
            loss = [k for k in LOSSES if k != "softmax"][(i + 2 * j) % (len(LOSSES) - 1)]
            if not (PENALTIES[name].constrained and "features" in design):
                marks = [] if (i + j) % 4 == 0 else [pytest.mark.slow]
                yield pytest.param(PENALTIES[name], LOSSES[loss], design, id=f"{name}-{loss}-{design}", marks=marks)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("penalty", "loss", "design"), list(cases()))
def test_gap_against_the_truth(penalty, loss, design):
    layout, parameters = DESIGNS[design]
    X, y, w = data(loss, **layout)
    model = make(penalty, loss, tol=1e-9, max_iter=100_000, **parameters)
    reference = Reference(model, X, y, w)
    best = reference.optimum()
    for solver in ("auto", "fista"):
        model.set_params(solver=solver).fit(X, y, w)
        scale = model.history_["objective"][0]
        assert model.converged_ and model.dual_gap_ <= 1e-9 * scale
        assert reference.of(model) == pytest.approx(model.objective_, rel=1e-11)
        assert model.objective_ <= best + model.dual_gap_ + 1e-12 * scale, "the gap is below what is left"
        assert best <= model.objective_ + 1e-7 * scale, "the reference is not solved"
        low = model.history_["objective"] - model.history_["gap"]
        assert low.max() <= best + 1e-12 * scale, "a lower bound on the way is above the optimum"


# -- closed forms and equivalences --


def shared(n=50, p=7, n_tasks=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal((p, n_tasks)) + rng.standard_normal((n, n_tasks))


def test_complete_squared_data_are_solved_in_one_step():
    X, Y = shared()
    penalty = Graph([(0, 1, 1.0), (1, 2, -2.0), (2, 3, 0.5)], 0.7, alpha_ridge=0.2)
    model = MultiTaskRegressor(penalty, fit_intercept=False, tol=1e-12).fit(X, Y)
    W = linalg.solve_sylvester(X.T @ X / len(X), penalty.quadratic(4), X.T @ Y / len(X))
    assert_allclose(model.coef_.T, W, rtol=1e-9)
    assert model.n_iter_ == 1


def test_a_graph_without_edges_is_ridge():
    X, Y = shared()
    one = MultiTaskRegressor(Graph([], 5.0, alpha_ridge=0.3), tol=1e-12).fit(X, Y)
    other = MultiTaskRegressor(L1(0.0, alpha_ridge=0.3), tol=1e-12).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, rtol=1e-6)


@pytest.mark.parametrize("alpha_ridge", [0.0, 0.1])
def test_the_complete_graph_is_the_mean(alpha_ridge):
    X, Y = shared()
    edges = [(s, t, 0.25) for s in range(4) for t in range(s)]
    one = MultiTaskRegressor(Graph(edges, 0.8, alpha_ridge), tol=1e-12).fit(X, Y)
    other = MultiTaskRegressor(MeanRegularized(0.8, alpha_ridge), tol=1e-12).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, rtol=1e-8)
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-12)


def test_no_graph_is_the_complete_one():
    X, Y = shared()
    one = MultiTaskRegressor(Graph(None, 0.8, 0.1), tol=1e-12).fit(X, Y)
    other = MultiTaskRegressor(MeanRegularized(0.8, 0.1), tol=1e-12).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, rtol=1e-10)


def test_temporal_group_lasso_without_smoothness_is_l21():
    X, Y = shared()
    one = MultiTaskRegressor(Coupled(L21(0.2), TemporalSmooth(0.0)), tol=1e-10).fit(X, Y)
    other = MultiTaskRegressor(L21(0.2), tol=1e-10).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, atol=1e-4)
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)


def test_large_strengths_give_one_model_with_an_intercept_for_each_task():
    X, Y = shared()
    model = MultiTaskRegressor(MeanRegularized(1e6), tol=1e-10).fit(X, Y)
    slopes = np.linalg.lstsq(X - X.mean(0), (Y - Y.mean(0)).mean(1), rcond=None)[0]
    assert_allclose(model.coef_, np.tile(slopes, (4, 1)), rtol=1e-4)


def test_one_task_has_nothing_to_be_coupled_with():
    X, Y = shared(n_tasks=1)
    model = MultiTaskRegressor(MeanRegularized(3.0), tol=1e-12).fit(X, Y)
    slopes = np.linalg.lstsq(X - X.mean(0), Y - Y.mean(0), rcond=None)[0]
    assert model.converged_
    assert_allclose(model.coef_, slopes.T, rtol=1e-8)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_fewer_rows_than_features(loss):
    X, Y = shared(n=9, p=30)
    y = Y if loss == "squared" else (Y > 0).astype(float)
    model = MultiTaskRegressor(MeanRegularized(0.5, alpha_ridge=0.1), loss=loss, tol=1e-9).fit(X, y)
    assert model.converged_


def test_labels_that_common_slopes_fit_alone():
    X, _ = shared()
    Y = np.tile(X @ np.arange(7.0), (3, 1)).T
    model = MultiTaskRegressor(MeanRegularized(0.5)).fit(X, Y)
    assert model.converged_
    assert_allclose(model.coef_, np.tile(np.arange(7.0), (3, 1)), atol=1e-8)


def test_float32_stays_so():
    X, Y = shared()
    model = MultiTaskRegressor(MeanRegularized(0.5)).fit(X.astype(np.float32), Y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    assert model.converged_


# -- structure by task --


def test_a_graph_is_keyed_by_the_labels_of_the_tasks():
    X, Y = shared()
    named = pd.DataFrame(Y, columns=["a", "b", "c", "d"])
    edges = [("a", "b", 1.0), ("d", "b", 2.0), ("a", "elsewhere", 1.0)]
    A = np.zeros((4, 4))
    A[0, 1] = A[1, 0] = 1.0
    A[1, 3] = A[3, 1] = 2.0
    with pytest.warns(UserWarning, match="graph names .* left out: 'elsewhere'"):
        one = MultiTaskRegressor(Graph(edges, 0.5, 0.1), tol=1e-12).fit(X, named)
    other = MultiTaskRegressor(Graph(A, 0.5, 0.1), tol=1e-12).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, rtol=1e-10)


def test_columns_of_several_classes_are_coupled_class_by_class():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 4))
    Y = np.stack([rng.permutation(np.repeat(["u", "v", "w"], 30)) for _ in range(2)], axis=1)
    model = MultiTaskClassifier(MeanRegularized(1e5, alpha_ridge=0.1), tol=1e-8).fit(X, Y)
    assert_allclose(model.coef_[:3], model.coef_[3:], atol=1e-5)
    assert np.abs(model.coef_[0] - model.coef_[1]).max() > 1e-3


def test_softmax_needs_a_ridge():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 4)), rng.integers(0, 3, (60, 2))
    with pytest.raises(ValueError, match="MeanRegularized leaves directions .* alpha_ridge > 0"):
        MultiTaskClassifier(MeanRegularized(0.1)).fit(X, Y)


@pytest.mark.parametrize(
    ("penalty", "error", "message"),
    [
        (TemporalSmooth(order=[0, 1]), ValueError, "leaves out task 2"),
        (TemporalSmooth(order=[0, 1, 1, 2]), ValueError, "names a task twice"),
        (Graph(np.ones((2, 3))), ValueError, "graph must be square"),
        (Graph([(7, 8, 1.0)]), ValueError, "graph names none of the tasks"),
        (Graph("abc"), TypeError, "graph must be"),
        (Graph(EDGES, alpha_l1=-1.0), ValueError, "alpha_l1"),
        (MeanRegularized(alpha_ridge=-1.0), ValueError, "alpha_ridge"),
        (Coupled(L21(), L21()), TypeError, r"Coupled\(coupling=...\) needs a quadratic coupling"),
        (Coupled(MeanRegularized(), MeanRegularized()), TypeError, r"Coupled\(penalty=...\) needs a penalty"),
        (Coupled(L21(), MeanRegularized(), alpha=0.0), ValueError, r"Coupled\(alpha=0\)"),
        (Coupled(L21(), Graph(EDGES, alpha_l1=0.1)), TypeError, r"Coupled\(coupling=...\).* drop its alpha_l1"),
        (InfimalConvolution([("a", L1()), ("b", Graph(alpha_l1=0.1))]), TypeError, "part 'b'.*do not compose"),
        (InfimalConvolution([("a", L1()), ("b", Coupled(L21(), MeanRegularized()))]), TypeError, "part 'b'"),
        (Transposed(Coupled(L21(), MeanRegularized())), TypeError, "Transposed: Coupled.*do not compose"),
        (Transposed(MeanRegularized()), TypeError, "Transposed"),
        (InfimalConvolution([("a", L1()), ("b", MeanRegularized())]), ValueError, "part 'b' leaves directions free"),
    ],
)
def test_bad_input(penalty, error, message):
    X, Y = shared(n_tasks=3)
    with pytest.raises(error, match=message):
        MultiTaskRegressor(penalty).fit(X, Y)


@pytest.mark.parametrize("method", ["prox", "conjugate"])
def test_entries_beside_a_graph_have_no_closed_form(method):
    arguments = (np.ones((3, 5)), 1.0) if method == "prox" else (np.ones((3, 5)),)
    with pytest.raises(NotImplementedError, match="has no closed form"):
        getattr(Graph(alpha_l1=0.1), method)(*arguments)


@pytest.mark.parametrize(
    "penalty",
    [
        Coupled(TotalVariation(alpha_ridge=0.1), TemporalSmooth(1.0)),
        Coupled(SquaredTraceNorm(2.0), MeanRegularized()),
        Coupled(ClusterNorm(), MeanRegularized()),
        Coupled(InfimalConvolution([("a", SquaredTraceNorm()), ("b", L1())]), MeanRegularized()),
        Transposed(SquaredTraceNorm(2.0)),
        Transposed(ClusterNorm()),
        InfimalConvolution([("a", Transposed(SpectralBoxNorm())), ("b", L1())]),
    ],
    ids=str,
)
def test_combinations_have_a_grid(penalty):
    X, Y = shared(n_tasks=3)
    path = MultiTaskRegressor(penalty).path(X, Y, 4)
    sizes = np.abs(path.coefs).max(axis=(1, 2))
    assert path.converged.all()
    assert (np.diff(sizes) > 0).all(), "weaker penalties leave larger coefficients"


def test_the_grid_does_not_depend_on_the_strength_within():
    X, Y = shared(n_tasks=3)
    one, two = (
        MultiTaskRegressor(wrap(SquaredTraceNorm(alpha))).path_alphas(X, Y, 3)
        for alpha, wrap in ((1.0, Transposed), (2.0, lambda part: Coupled(part, MeanRegularized(0.1))))
    )
    plain = MultiTaskRegressor(SquaredTraceNorm()).path_alphas(X, Y, 3)
    assert_allclose(one, plain, rtol=1e-6)
    assert_allclose(two, plain / 2, rtol=1e-6)


def test_there_is_no_alpha_max_but_a_grid():
    X, Y = shared()
    model = MultiTaskRegressor(MeanRegularized(alpha_ridge=0.01))
    with pytest.raises(NotImplementedError, match="MeanRegularized has no alpha_max"):
        model.alpha_max(X, Y)
    path = model.path(X, Y, 10)
    spread = np.ptp(path.coefs, axis=1).max(axis=1)
    assert path.converged.all()
    assert spread[0] < 0.2 * spread[-1], "the grid does not reach from one model for all to models of their own"
    search = PathSearchCV(MultiTaskRegressor(TemporalSmooth(alpha_ridge=0.01)), alphas=5, cv=3).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
