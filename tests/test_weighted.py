"""Weights of rows in one part of a penalty: equal models, strengths, errors (test_penalties.py has the rest)."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import (
    L1,
    L21,
    Chain,
    Coupled,
    InfimalConvolution,
    MultiTaskClassifier,
    MultiTaskRegressor,
    RowWeighted,
    TemporalSmooth,
    TotalVariation,
    TraceNorm,
    Transposed,
    TreeGroups,
)

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 5))
Y = X @ rng.standard_normal((5, 3)) + rng.standard_normal((40, 3))
WEIGHTS = np.array([0.3, 2.0, 1.0, 0.7, 5.0])
TIGHT = {"tol": 1e-12, "max_iter": 100_000}


@pytest.mark.parametrize("penalty", [L1(0.1), L21(0.1), TotalVariation(0.1), TreeGroups(0.1, [[0, 1], [2]])])
def test_alone_it_is_feature_weights(penalty):
    one = MultiTaskRegressor(RowWeighted(penalty, WEIGHTS), **TIGHT).fit(X, Y)
    other = MultiTaskRegressor(penalty, feature_weights=WEIGHTS, **TIGHT).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, atol=1e-6)
    assert_allclose(one.objective_, other.objective_, rtol=1e-11)


def test_beside_feature_weights_they_multiply():
    one = MultiTaskRegressor(RowWeighted(L21(0.1), WEIGHTS), feature_weights=[1, 2, 1, 0, 3], **TIGHT).fit(X, Y)
    other = MultiTaskRegressor(L21(0.1), feature_weights=WEIGHTS * [1, 2, 1, 0, 3], **TIGHT).fit(X, Y)
    assert_allclose(one.coef_, other.coef_, atol=1e-6)


@pytest.mark.parametrize(
    "penalty",
    [
        RowWeighted(L1(2.0), WEIGHTS),
        RowWeighted(TotalVariation(2.0), WEIGHTS),
        Chain([TotalVariation(), RowWeighted(L1(), WEIGHTS)]),
        Chain([RowWeighted(L21(), WEIGHTS)]),
        Coupled(RowWeighted(L21(), WEIGHTS), TemporalSmooth(1.0)),
        InfimalConvolution([("a", RowWeighted(L21(), WEIGHTS)), ("b", L1(0.8))]),
    ],
    ids=lambda p: " ".join(repr(p).split()),
)
def test_largest_strength(penalty):
    model = MultiTaskRegressor(penalty, **TIGHT)
    top = model.alpha_max(X, Y)
    above = model.set_params(penalty__alpha=1.001 * top).fit(X, Y).coef_
    below = model.set_params(penalty__alpha=0.99 * top).fit(X, Y).coef_
    if penalty.null_columns(3) is not None:  # what all tasks share is free
        above, below = (coef - coef.mean(axis=0) for coef in (above, below))
    assert np.abs(above).max() < 1e-7 < np.abs(below).max()
    assert_allclose(model.path_alphas(X, Y, 1)[0], top, rtol=1e-12)


def test_range_where_there_is_no_largest_strength():
    weighted = RowWeighted(TotalVariation(2.0), 3 * np.ones(5), alpha_ridge=0.1)
    plain = TotalVariation(alpha_ridge=0.1)
    found, wanted = (MultiTaskRegressor(p).path_alphas(X, Y, 5) for p in (weighted, plain))
    assert_allclose(6 * np.array(found), wanted, rtol=1e-10)


def test_parameters_are_reached_and_kept():
    penalty = RowWeighted(L1(), WEIGHTS)
    assert penalty.set_params(penalty__alpha=0.3).penalty.alpha == 0.3
    assert penalty.get_params()["weights"] is WEIGHTS


def test_logistic():
    model = MultiTaskClassifier(Chain([TotalVariation(0.02), RowWeighted(L1(0.1), WEIGHTS)]), tol=1e-8)
    model.fit(X, Y > 0)
    assert model.converged_ and not model.coef_[:, 4].any() and model.coef_[:, 0].all()


@pytest.mark.parametrize(
    ("penalty", "error", "message"),
    [
        (RowWeighted(TraceNorm(), WEIGHTS), TypeError, "needs a sum over rows"),
        (RowWeighted(Transposed(L1()), WEIGHTS), TypeError, "needs a sum over rows"),
        (RowWeighted(3, WEIGHTS), TypeError, "needs a sum over rows"),
        (RowWeighted(L1(alpha_ridge=1.0), WEIGHTS), ValueError, "ridge of its own"),
        (RowWeighted(L1(0.0), WEIGHTS), ValueError, "alpha=0 to RowWeighted"),
        (RowWeighted(L1(-1.0), WEIGHTS), ValueError, "alpha must be in"),
        (RowWeighted(L1(), WEIGHTS, -1.0), ValueError, "RowWeighted.*alpha must be in"),
        (RowWeighted(L1(), WEIGHTS, alpha_ridge=-1.0), ValueError, "alpha_ridge must be in"),
        (RowWeighted(L1(), 0 * WEIGHTS), ValueError, r"weights\[0\] = 0 must be finite and > 0; feature_weights"),
        (RowWeighted(L1(), [1, np.nan]), ValueError, r"weights\[1\] = nan"),
        (RowWeighted(L1(), [1, np.inf]), ValueError, r"weights\[1\] = inf"),
        (RowWeighted(L1(), 2.0), ValueError, r"has shape \(\), expected \(n_features,\)"),
        (RowWeighted(L1(), WEIGHTS[:2]), ValueError, r"has shape \(2,\), expected \(5,\): one weight a feature"),
        (RowWeighted(L1(positive=True), WEIGHTS, 0.0), ValueError, "no certificate"),
        (RowWeighted(TotalVariation(positive=True), WEIGHTS), ValueError, "no certificate"),
        (Chain([RowWeighted(TraceNorm(), WEIGHTS)]), TypeError, "no place in a chain"),
        (Chain([RowWeighted(L1(), -WEIGHTS)]), ValueError, "must be finite and > 0"),
        (Chain([RowWeighted(L1(), WEIGHTS, alpha_ridge=1.0)]), ValueError, "Chain's alpha_ridge"),
        (Chain([RowWeighted(L1(), WEIGHTS), RowWeighted(L21(), WEIGHTS)]), ValueError, "distinct; give pairs"),
        (Chain([RowWeighted(L1(), WEIGHTS), L1()]), ValueError, "do not compose"),
        (Chain([TotalVariation(), RowWeighted(TreeGroups(1.0, [[0, 1], 2]), WEIGHTS)]), ValueError, "do not compose"),
        (Transposed(RowWeighted(TotalVariation(), WEIGHTS)), TypeError, "is about tasks"),
    ],
    ids=lambda a: " ".join(repr(a).split())[:70] if not isinstance(a, str | type) else None,
)
def test_errors(penalty, error, message):
    with pytest.raises(error, match=message):
        MultiTaskRegressor(penalty).fit(X, Y)
