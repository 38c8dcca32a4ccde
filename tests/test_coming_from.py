"""docs/guide/coming_from.rst: the conversions from other packages hold (those from MALSAR: test_malsar.py)."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn import linear_model, svm

import mtlreg
from mtlreg import MultiTaskClassifier, MultiTaskRegressor, stack_tasks

PAGE = Path(__file__).parents[1] / "docs" / "guide" / "coming_from.rst"

rng = np.random.default_rng(0)
X = rng.standard_normal((30, 6)) * np.linspace(0.5, 2, 6)
Y = X[:, :3] @ rng.standard_normal((3, 4)) + 0.5 * rng.standard_normal((30, 4)) + 1.0
BINARY = (Y > np.median(Y, axis=0)).astype(int)
CLASSES = np.digitize(Y[:, 0], np.quantile(Y[:, 0], [0.3, 0.6]))
COUNTS = rng.poisson(np.exp(0.3 * X[:, 0] + 0.5))
TIGHT = {"tol": 1e-12, "max_iter": 100_000}
n = len(X)

# three tasks of different size, as lists; labels -1 and 1, as RMTL has them
ROWS = [slice(0, 9), slice(9, 16), slice(16, 30)]
XS, YS = [X[r] for r in ROWS], [Y[r, t] for t, r in enumerate(ROWS)]
SIGNS = [2.0 * BINARY[r, t] - 1 for t, r in enumerate(ROWS)]

# (rows, labels) of every task: three with rows of their own, four on the same rows
OWN, SHARED = (XS, YS), ([X] * 4, list(Y.T))

CHECKS = {}


def row(package, **values):
    """Register a row's check: ``check(estimator or None, penalty, settings, **values)``, values as given here."""

    def register(check):
        CHECKS[package] = check, values
        return check

    return register


def table_rows():
    """``(first cell, second cell)`` of every row of the table of conversions."""
    table = PAGE.read_text().split(".. _conversion:")[1].split("\nMALSAR\n------")[0]
    cells = re.findall(r"^   \* - (.*)\n     - (.*(?:\n       .*)?)$", table, flags=re.M)
    assert len(cells) == table.count("\n   * - ")
    return cells[1:]


def code_of(cell):
    """The code in a cell."""
    return re.findall(r"``(.+?)``", cell)


@pytest.mark.parametrize("first, second", table_rows(), ids=[first for first, _ in table_rows()])
def test_conversion_holds(first, second):
    check, values = CHECKS[first]
    penalty, *settings = code_of(second)
    penalty = eval(penalty, vars(mtlreg) | {"n": n} | values)
    check(eval_with(first, values), penalty, eval(f"dict({', '.join(settings)})"), **values)


def eval_with(cell, values):
    """The scikit-learn estimator that a cell names, None for other packages."""
    if not cell.startswith("scikit-learn"):
        return None
    return eval(code_of(cell)[0], vars(linear_model) | {"LinearSVC": svm.LinearSVC} | values)


def test_every_check_has_its_row():
    assert sorted(CHECKS) == sorted(first for first, _ in table_rows())


def assert_same(model, other, atol=1e-5):
    np.testing.assert_allclose(model.coef_, np.reshape(other.coef_, model.coef_.shape), atol=atol)
    np.testing.assert_allclose(model.intercept_, np.reshape(other.intercept_, np.shape(model.intercept_)), atol=atol)


@row("scikit-learn ``MultiTaskLasso(a)``", a=0.3)
@row("scikit-learn ``MultiTaskElasticNet(a, l1_ratio=l)``", a=0.3, l=0.4)
def shared_rows(other, penalty, settings, **values):
    assert_same(MultiTaskRegressor(penalty, **settings, **TIGHT).fit(X, Y), other.set_params(**TIGHT).fit(X, Y))


@row("scikit-learn ``Lasso(a)``", a=0.3)
@row("scikit-learn ``ElasticNet(a, l1_ratio=l)``", a=0.3, l=0.4)
@row("scikit-learn ``Ridge(a)``", a=3.0)
def one_task(other, penalty, settings, **values):
    y = Y[:, 0]
    assert_same(MultiTaskRegressor(penalty, **settings, **TIGHT).fit(X, y), other.set_params(**TIGHT).fit(X, y))


@row("scikit-learn ``LogisticRegression(C=C)``", C=0.7)
def logistic(other, penalty, settings, **values):
    for y in (BINARY[:, 0], CLASSES):
        other.set_params(tol=1e-10, max_iter=10_000).fit(X, y)
        model = MultiTaskClassifier(penalty, **settings, **TIGHT).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-5)
        np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-4)


@row("scikit-learn ``LogisticRegression(C=C)`` with the l1 penalty", C=0.7)
def logistic_l1(other, penalty, settings, **values):
    old = other.get_params()["penalty"] == "l2"  # scikit-learn before 1.8
    other.set_params(**({"penalty": "l1"} if old else {"l1_ratio": 1}))
    # the one solver that is exact here penalises the intercept: compare without
    other.set_params(solver="liblinear", fit_intercept=False, tol=1e-10, max_iter=10_000, random_state=0)
    model = MultiTaskClassifier(penalty, fit_intercept=False, **settings, **TIGHT).fit(X, BINARY[:, 0])
    assert 0 < np.count_nonzero(model.coef_) < model.coef_.size
    np.testing.assert_allclose(model.coef_, other.fit(X, BINARY[:, 0]).coef_, atol=1e-4)


@row("scikit-learn ``LinearSVC(C=C, fit_intercept=False)``", C=0.7)
def linear_svc(other, penalty, settings, **values):
    other.set_params(tol=1e-10, max_iter=100_000, random_state=0).fit(X, BINARY[:, 0])
    model = MultiTaskClassifier(penalty, **settings, **TIGHT).fit(X, BINARY[:, 0])
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-4)


@row("scikit-learn ``PoissonRegressor(alpha=a)``", a=0.3)
def poisson(other, penalty, settings, **values):
    other.set_params(tol=1e-10, max_iter=10_000).fit(X, COUNTS)
    assert_same(MultiTaskRegressor(penalty, **settings, **TIGHT).fit(X, COUNTS), other, atol=1e-4)


@row("glmnet ``mgaussian``, lambda a, alpha l", a=0.2, l=0.7)
def glmnet(_, penalty, settings, a, l):  # noqa: E741
    # what glmnet 4.1-6 prints in R, intercepts first: glmnet(x, y, family = "mgaussian", alpha = 0.7,
    # lambda = c(1, 0.5, 0.2), standardize = FALSE, thresh = 1e-16)
    x = np.array([[0.0, 1, 2, 3, 4, 6], [1, 0, 2, 1, 5, 3], [2, 2, 0, 1, 1, 0]]).T
    y = np.array([[1.0, 2, 4, 5, 9, 10], [0, 1, -1, 2, 0, 3]]).T
    printed = [
        [0.51479019082, 1.25976330233, 0.62323257215, 0.04604252532],
        [-0.5080247850, 0.8136650719, -0.5876454494, 0.3468754920],
    ]
    model = MultiTaskRegressor(penalty, **TIGHT).fit(x, y)
    np.testing.assert_allclose(np.column_stack([model.intercept_, model.coef_]), printed, atol=1e-6)

    def theirs(W, b):
        return np.sum(squares(SHARED, W, b)) / (2 * n) + a * ((1 - l) * np.sum(W**2) / 2 + l * row_norms(W))

    assert_proportional(theirs, ours(*SHARED, "squared", penalty), 4)
    assert settings == {"standardize": True}
    scaled = MultiTaskRegressor(penalty, **settings, **TIGHT).fit(X, Y)
    by_hand = MultiTaskRegressor(penalty, **TIGHT).fit(X / X.std(axis=0), Y)
    np.testing.assert_allclose(scaled.coef_ * X.std(axis=0), by_hand.coef_, atol=1e-5)


def row_norms(W):
    return np.linalg.norm(W, axis=1).sum()


def squares(data, W, b):
    """Sum of squares of every task."""
    return np.array([np.sum((y - x @ W[:, t] - b[t]) ** 2) for t, (x, y) in enumerate(zip(*data, strict=True))])


def logistic_means(W, b):
    """Mean logistic loss of every task, labels -1 and 1."""
    etas = [x @ W[:, t] + b[t] for t, x in enumerate(XS)]
    return np.array([np.mean(np.logaddexp(0, -y * eta)) for y, eta in zip(SIGNS, etas, strict=True)])


def ours(xs, ys, loss, penalty, balanced=False):
    """The objective as the page states it, a function of W (or its parts) and b."""
    n_bar = sum(map(len, ys)) / len(ys)

    def objective(W, b):
        value = penalty.value(W)
        W = W.sum(axis=0) if W.ndim == 3 else W
        for t, (x, y) in enumerate(zip(xs, ys, strict=True)):
            eta = x @ W[:, t] + b[t]
            losses = (y - eta) ** 2 / 2 if loss == "squared" else np.logaddexp(0, eta) - y * eta
            value += losses.sum() / (len(y) if balanced else n_bar)
        return value

    return objective


def assert_proportional(theirs, mine, n_tasks, n_parts=0, intercept=True):
    """``theirs = factor * mine`` at random coefficients; returns the factor."""
    factors = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        W = random.standard_normal((n_parts, 6, n_tasks) if n_parts else (6, n_tasks)) * 10.0 ** (seed - 3)
        b = random.standard_normal(n_tasks) if intercept else np.zeros(n_tasks)
        factors.append(theirs(W, b) / mine(W, b))
    np.testing.assert_allclose(factors, factors[0], rtol=1e-12)
    return factors[0]


def check_objective(theirs, penalty, settings, data=OWN, signs=False):
    """Both objectives at random W, and at ours fitted, where theirs must not have a lower value nearby."""
    xs, ys = data
    if signs:
        ys = [(s + 1) / 2 for s in SIGNS]
    intercept, n_parts = settings.get("fit_intercept", True), len(penalty.part_names)
    mine = ours(xs, ys, "logistic" if signs else "squared", penalty, settings.get("task_weight") == "balanced")
    factor = assert_proportional(theirs, mine, len(ys), n_parts, intercept)
    table, y = stack_tasks(xs, ys)
    model = MultiTaskClassifier if signs else MultiTaskRegressor
    model = model(penalty, task_feature=-1, **settings, **TIGHT).fit(table, y)
    W = np.stack([part.T for part in model.components_.values()])
    W = W if n_parts else W[0]
    assert np.any(W)
    least = theirs(W, model.intercept_)
    np.testing.assert_allclose(least, factor * model.objective_, rtol=1e-10)
    for seed in range(20):
        random = np.random.default_rng(seed)
        step, b = 1e-3 * random.standard_normal(W.shape), model.intercept_
        assert theirs(W + step, b + 1e-3 * intercept * random.standard_normal(len(ys))) >= least


@row("RMTL ``Regression``, ``L21``, Lam1 a, Lam2 b", a=0.2, b=0.1)
def rmtl_regression(_, penalty, settings, a, b):
    check_objective(lambda W, c: half_means(W, c) + a * row_norms(W) + b * np.sum(W**2), penalty, settings)


@row("RMTL ``Classification``, ``L21``, Lam1 a, Lam2 b", a=0.02, b=0.01)
def rmtl_classification(_, penalty, settings, a, b):
    check_objective(
        lambda W, c: np.sum(logistic_means(W, c)) + a * row_norms(W) + b * np.sum(W**2), penalty, settings, signs=True
    )


@row("RMTL ``Regression``, ``Trace``, Lam1 a, Lam2 b", a=0.2, b=0.1)
def rmtl_trace(_, penalty, settings, a, b):
    check_objective(lambda W, c: half_means(W, c) + a * np.linalg.norm(W, "nuc") + b * np.sum(W**2), penalty, settings)


def half_means(W, b):
    """Half the mean of squares of every task, added up."""
    return np.sum(squares(OWN, W, b) / [len(y) for y in YS]) / 2


@row("mutar ``IndLasso(alpha=a)``", a=0.2)
def mutar_lasso(_, penalty, settings, a):
    check_shared(lambda W: a * np.abs(W).sum(), penalty, settings)


@row("mutar ``GroupLasso(alpha=a)``", a=0.2)
def mutar_group_lasso(_, penalty, settings, a):
    check_shared(lambda W: a * row_norms(W), penalty, settings)


@row("mutar ``DirtyModel(alpha=a, beta=b)``", a=0.2, b=0.15)
def mutar_dirty(_, penalty, settings, a, b):
    check_shared(lambda W: a * row_norms(W[0]) + b * np.abs(W[1]).sum(), penalty, settings)


SPAMS = {
    "l1": lambda W: np.abs(W).sum(),
    "l2": lambda W: np.sum(W**2) / 2,
    "l1l2": row_norms,
    "l1linf": lambda W: np.abs(W).max(axis=1).sum(),
    "trace-norm": lambda W: np.linalg.norm(W, "nuc"),
}


@row("SPAMS ``fistaFlat``, square loss, ``l1``, lambda1 a", name="l1", a=6.0)
@row("SPAMS ``fistaFlat``, square loss, ``l2``, lambda1 a", name="l2", a=6.0)
@row("SPAMS ``fistaFlat``, square loss, ``l1l2``, lambda1 a", name="l1l2", a=6.0)
@row("SPAMS ``fistaFlat``, square loss, ``l1linf``, lambda1 a", name="l1linf", a=6.0)
@row("SPAMS ``fistaFlat``, square loss, ``trace-norm``, lambda1 a", name="trace-norm", a=6.0)
def spams(_, penalty, settings, name, a):
    check_shared(lambda W: a * SPAMS[name](W), penalty, settings, scale=2)


def check_shared(omega, penalty, settings, scale=2 * n):
    """Theirs is the sum of squares over ``scale`` plus ``omega``, the same rows for all tasks."""

    def theirs(W, b):
        return np.sum(squares(SHARED, W.sum(axis=0) if W.ndim == 3 else W, b)) / scale + omega(W)

    check_objective(theirs, penalty, settings, SHARED)
