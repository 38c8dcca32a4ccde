"""Parameters of the estimators by name: searches over penalties and losses, defaults, what excludes each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    Chain,
    InfimalConvolution,
    L1Linf,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    Transposed,
)
from mtlreg.losses import Huber

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
Y = X[:, :3] @ RNG.standard_normal((3, 3)) + 0.3 * RNG.standard_normal((60, 3))
BINARY = (Y > 0).astype(int)


def dirty(shared=1.6):
    return InfimalConvolution([("shared", L1Linf(shared)), ("specific", L1(1.0))], alpha=0.05)


# -- parts of penalties -------------------------------------------------------------------------------------------


def test_set_params_reaches_parts_and_leaves_the_callers_penalty():
    penalty = dirty()
    model = MultiTaskRegressor(penalty)
    assert model.get_params()["penalty__shared__alpha"] == 1.6
    model.set_params(penalty__shared__alpha=0.3, penalty__alpha=0.1)
    assert (model.penalty.alpha, model.penalty.parts[0][1].alpha) == (0.1, 0.3)
    assert (penalty.alpha, penalty.parts[0][1].alpha) == (0.05, 1.6)
    # the second part's l1 norm is dearer now, so that it has no use
    assert not model.fit(X, Y).components_["specific"].any()


@pytest.mark.parametrize(
    ("penalty", "name", "values"),
    [
        (dirty(), "penalty__shared__alpha", [0.3, 1.6]),
        (dirty(), "penalty__shared", [L21(1.2), L1Linf(1.6)]),
        (dirty(), "penalty__parts", [dirty().parts, dirty(1.2).parts]),
        (Chain([L1(0.1), L21(0.1)]), "penalty__l1__alpha", [0.01, 0.2]),
        (Chain([("entries", L1(0.1)), L21(0.1)]), "penalty__entries__alpha", [0.01, 0.2]),
        (Transposed(L21(0.1)), "penalty__penalty__alpha", [0.01, 0.2]),
        (None, "penalty__alpha", [0.01, 0.2]),
        (None, "penalty", [None, L1(0.1)]),
    ],
    ids=lambda a: a if isinstance(a, str) else None,
)
def test_grids_reach_penalties(penalty, name, values):
    before = repr((penalty, values))
    model = MultiTaskRegressor(penalty)
    search = GridSearchCV(model, {name: values}, cv=2, error_score="raise").fit(X, Y)
    assert repr((penalty, values)) == before
    assert model.penalty is penalty
    for k, value in enumerate(values):
        by_hand = clone(model).set_params(**{name: clone(value, safe=False)}).fit(X[30:], Y[30:])
        assert_allclose(search.cv_results_["split0_test_score"][k], by_hand.score(X[:30], Y[:30]), rtol=1e-9)


def test_path_search_over_a_part():
    search = PathSearchCV(
        MultiTaskRegressor(dirty()), alphas=5, cv=2, param_grid={"penalty__shared__alpha": [1.2, 2.0]}
    )
    search.fit(X, Y)
    assert search.best_estimator_.penalty.parts[0][1].alpha == search.best_params_["penalty__shared__alpha"]


# -- the default penalty ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "y", "alpha"),
    [(MultiTaskRegressor, Y, 1.0), (MultiTaskClassifier, BINARY, 0.01)],
    ids=["regressor", "classifier"],
)
def test_default_penalty(cls, y, alpha):
    assert clone(cls()).get_params()["penalty"] is None
    model = cls().fit(X, y)
    assert_allclose(model.coef_, cls(L21(alpha)).fit(X, y).coef_)
    assert model.penalty is None
    # the other parameters are those of the default
    changed = cls().set_params(penalty__alpha_ridge=0.5, tol=1e-8)
    assert changed.penalty.get_params() == L21(alpha, alpha_ridge=0.5).get_params()
    assert changed.tol == 1e-8


def test_the_default_classifier_learns():
    assert MultiTaskClassifier().fit(X, BINARY).coef_.any(axis=0).all()


def test_set_params_of_penalty_and_its_parameters_at_once():
    penalty = L1(0.5)
    model = MultiTaskRegressor(dirty()).set_params(penalty=penalty, penalty__alpha=0.2)
    assert repr(model.penalty) == "L1(alpha=0.2)"
    assert penalty.alpha == 0.5
    assert repr(model.set_params(penalty=None, penalty__alpha=0.3).penalty) == "L21(alpha=0.3)"


def test_set_params_refuses_what_there_is_not():
    model = MultiTaskRegressor()
    with pytest.raises(ValueError, match=r"Invalid parameter 'alfa' for estimator L21"):
        model.set_params(penalty__alfa=0.1)
    assert model.penalty is None
    with pytest.raises(TypeError, match="give a Penalty"):
        MultiTaskRegressor("l1").set_params(penalty__alpha=0.1)


def test_set_params_through_a_pipeline():
    pipe = make_pipeline(StandardScaler(), MultiTaskRegressor()).set_params(multitaskregressor__penalty__alpha=0.1)
    assert repr(pipe[-1].penalty) == "L21(alpha=0.1)"


# -- losses -------------------------------------------------------------------------------------------------------


def test_grids_reach_losses():
    loss = Huber(threshold=50.0)
    model = BlockSparseRegressor(0.05, loss=loss)
    assert model.get_params()["loss__threshold"] == 50.0
    search = GridSearchCV(model, {"loss__threshold": [0.3, 50.0]}, cv=2, error_score="raise").fit(X, Y)
    assert loss.threshold == 50.0
    squared = BlockSparseRegressor(0.05).fit(X[30:], Y[30:]).score(X[:30], Y[:30])
    scores = search.cv_results_["split0_test_score"]
    assert_allclose(scores[1], squared, rtol=1e-4)
    assert abs(scores[0] - squared) > 1e-4


def test_losses_of_tasks_are_cloned():
    losses = {0: Huber(0.5), 1: "squared", 2: Huber(2.0)}
    copied = clone(MultiTaskRegressor(L21(0.05), loss=losses))
    assert copied.loss[0] is not losses[0]
    assert_allclose(copied.fit(X, Y).coef_, MultiTaskRegressor(L21(0.05), loss=losses).fit(X, Y).coef_)


# -- positive coefficients of unpenalised features ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (BlockSparseRegressor(0.1, positive=True), Y),
        (BlockSparseClassifier(0.01, positive=True), BINARY),
        (MultiTaskRegressor(L1(0.1, positive=True)), Y),
        (MultiTaskRegressor(Transposed(L21(0.1, positive=True))), Y),
        (MultiTaskRegressor(Chain([L1(0.1, positive=True), L21(0.1, positive=True)])), Y),
        (MultiTaskRegressor(InfimalConvolution([("a", L1Linf(0.2)), ("b", L1(0.1, positive=True))])), Y),
    ],
    ids=["regressor", "classifier", "penalty", "transposed", "chain", "part"],
)
def test_positive_needs_penalised_features(model, y):
    free = clone(model).set_params(feature_weights=[0.0, 1.0, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="positive=True.*feature_weights 0.*small weight"):
        free.fit(X, y)
    small = clone(model).set_params(feature_weights=[0.1, 1.0, 1.0, 1.0, np.inf]).fit(X, y)
    constrained = small.components_.get("b", small.coef_)
    assert (constrained >= 0).all()


def test_unpenalised_coefficients_are_in_the_first_part():
    model = MultiTaskRegressor(dirty(), feature_weights=[0.0, 1.0, 1.0, 1.0, 1.0]).fit(X, Y)
    assert_allclose(model.components_["shared"][:, 0], model.coef_[:, 0])
    assert not model.components_["specific"][:, 0].any()
