"""The pages in docs/ say what is true: their code runs, the conversions hold, everything public is documented."""

import doctest
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sklearn import linear_model, svm

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    InfimalConvolution,
    L1Linf,
    MultiTaskClassifier,
    MultiTaskRegressor,
    TraceNorm,
    Transposed,
    stack_tasks,
)

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.rst") if not {"_build", "_templates", "generated"} & set(p.parts))
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

MODULES = [
    "mtlreg",
    "mtlreg.compare",
    "mtlreg.data",
    "mtlreg.datasets",
    "mtlreg.losses",
    "mtlreg.metrics",
    "mtlreg.penalties",
    "mtlreg.problem",
    "mtlreg.solvers",
    "mtlreg.testing",
]


def page_id(page):
    return str(page.relative_to(DOCS).with_suffix(""))


# -- the code of the pages --


def code_blocks(page, directive=r"code-block:: python"):
    """Yield ``(line, source)`` of the page's blocks of code and of examples with ``>>>``, in order."""
    lines = page.read_text().splitlines()
    i = 0
    while i < len(lines):
        opening = re.fullmatch(rf"( *)\.\. {directive}", lines[i])
        if opening:
            start = i = i + 1
            while i < len(lines) and (not lines[i].strip() or lines[i].startswith(opening[1] + " ")):
                i += 1
            block = "\n".join(line for line in lines[start:i] if not re.match(r" +:\w+:", line))
            yield start + 1, textwrap.dedent(block).strip("\n")
        elif lines[i].lstrip().startswith(">>> "):
            start = i
            while i < len(lines) and lines[i].strip():
                i += 1
            yield start + 1, textwrap.dedent("\n".join(lines[start:i]))
        else:
            i += 1


def run_examples(source, names, page, line):
    """Run examples with ``>>>``, raising at the first whose output differs."""
    test = doctest.DocTestParser().get_doctest(source + "\n", names, page.name, str(page), line - 1)
    try:
        doctest.DebugRunner(optionflags=OPTIONS).run(test, clear_globs=False)
    except doctest.DocTestFailure as failure:
        example = failure.example
        where = f"{page}:{test.lineno + example.lineno + 1}"
        pytest.fail(f"{where}: {example.source}expected {example.want}got      {failure.got}", pytrace=False)
    names.update(test.globs)


@pytest.fixture
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    yield
    for name in ("_figures", "feature_groups"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # scikit-learn, NaN in y
def test_code_of_a_page_runs(page, on_path):
    names = {"__name__": "page"}
    for line, source in code_blocks(page):
        if source.startswith(">>> "):
            run_examples(source, names, page, line)
        else:
            exec(compile("\n" * (line - 1) + source, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_figures_of_a_page_are_drawn(page, on_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    plots = [source for _, source in code_blocks(page, r"plot::") if not source.startswith(">>> ")]
    if not plots:
        return
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for source in plots:
        exec(compile(source, str(page), "exec"), {"__name__": "page"})
        assert pyplot.get_fignums(), "the block draws nothing"
        pyplot.close("all")


def test_pages_are_all_in_a_contents_list():
    listed = set()
    for page in PAGES:
        for block in re.findall(r"\.\. toctree::\n(.*?)(?=\n\S|\Z)", page.read_text(), flags=re.S):
            entries = [line.strip() for line in block.splitlines()]
            listed |= {(page.parent / e).with_suffix(".rst") for e in entries if e and not e.startswith(":")}
    assert listed | {DOCS / "index.rst"} == set(PAGES)


# -- strengths in other packages --

rng = np.random.default_rng(0)
X = rng.standard_normal((30, 6)) * np.linspace(0.5, 2, 6)
Y = X[:, :3] @ rng.standard_normal((3, 4)) + 0.5 * rng.standard_normal((30, 4)) + 1.0
BINARY = (Y > np.median(Y, axis=0)).astype(int)
CLASSES = np.digitize(Y[:, 0], np.quantile(Y[:, 0], [0.3, 0.6]))
COUNTS = rng.poisson(np.exp(0.3 * X[:, 0] + 0.5))
TIGHT = {"tol": 1e-12, "max_iter": 100_000}
n = len(X)

# three tasks of different size, as lists; labels -1 and 1, as RMTL and MALSAR have them
ROWS = [slice(0, 9), slice(9, 16), slice(16, 30)]
XS, YS = [X[r] for r in ROWS], [Y[r, t] for t, r in enumerate(ROWS)]
SIGNS = [2.0 * BINARY[r, t] - 1 for t, r in enumerate(ROWS)]

CHECKS = {}


def row(package, **values):
    """Register a row's check: ``check(estimator or None, penalty, settings, **values)``, values as given here."""

    def register(check):
        CHECKS[package] = check, values
        return check

    return register


def table_rows():
    """``(first cell, second cell)`` of every row of the table of conversions."""
    _, table = (DOCS / "guide" / "model.rst").read_text().split(".. _conversion:")
    cells = re.findall(r"^   \* - (.*)\n     - (.*(?:\n       .*)?)$", table, flags=re.M)
    assert len(cells) == table.count("\n   * - ")
    return cells[1:]


def code_of(cell):
    """The code in a cell."""
    return re.findall(r"``(.+?)``", cell)


@pytest.mark.parametrize("first, second", table_rows(), ids=[first for first, _ in table_rows()])
def test_conversion_holds(first, second):
    check, values = CHECKS[first]
    names = {"L1": L1, "L21": L21, "L1Linf": L1Linf, "InfimalConvolution": InfimalConvolution}
    names |= {"TraceNorm": TraceNorm, "Transposed": Transposed}
    names |= {"n": n, "n_bar": n / len(ROWS)} | values
    penalty, *settings = code_of(second)
    check(eval_with(first, values), eval(penalty, names), eval(f"dict({', '.join(settings)})"), **values)


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
        squares = np.sum((Y - X @ W - b) ** 2) / (2 * n)
        return squares + a * ((1 - l) * np.sum(W**2) / 2 + l * row_norms(W))

    assert_proportional(theirs, ours([X] * 4, list(Y.T), "squared", penalty), 4)
    assert settings == {"standardize": True}
    scaled = MultiTaskRegressor(penalty, **settings, **TIGHT).fit(X, Y)
    by_hand = MultiTaskRegressor(penalty, **TIGHT).fit(X / X.std(axis=0), Y)
    np.testing.assert_allclose(scaled.coef_ * X.std(axis=0), by_hand.coef_, atol=1e-5)


def row_norms(W):
    return np.linalg.norm(W, axis=1).sum()


def squares(W, b):
    """Sum of squares of every task."""
    return np.array([np.sum((y - x @ W[:, t] - b[t]) ** 2) for t, (x, y) in enumerate(zip(XS, YS, strict=True))])


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


def check_objective(theirs, penalty, settings, signs=False):
    """Both objectives at random W, and at ours fitted, where theirs must not have a lower value nearby."""
    ys, loss = ([(s + 1) / 2 for s in SIGNS], "logistic") if signs else (YS, "squared")
    intercept, n_parts = settings.get("fit_intercept", True), len(penalty.part_names)
    mine = ours(XS, ys, loss, penalty, settings.get("task_weight") == "balanced")
    factor = assert_proportional(theirs, mine, len(ROWS), n_parts, intercept)
    table, y = stack_tasks(XS, ys)
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
        assert theirs(W + step, b + 1e-3 * intercept * random.standard_normal(3)) >= least


@row("RMTL ``Regression``, ``L21``, Lam1 a, Lam2 b", a=0.2, b=0.1)
def rmtl_regression(_, penalty, settings, a, b):
    sizes = [len(y) for y in YS]
    check_objective(
        lambda W, c: np.sum(squares(W, c) / sizes) / 2 + a * row_norms(W) + b * np.sum(W**2), penalty, settings
    )


@row("RMTL ``Classification``, ``L21``, Lam1 a, Lam2 b", a=0.02, b=0.01)
def rmtl_classification(_, penalty, settings, a, b):
    check_objective(
        lambda W, c: np.sum(logistic_means(W, c)) + a * row_norms(W) + b * np.sum(W**2), penalty, settings, signs=True
    )


@row("RMTL ``Regression``, ``Trace``, Lam1 a, Lam2 b", a=0.2, b=0.1)
def rmtl_trace(_, penalty, settings, a, b):
    sizes = [len(y) for y in YS]
    check_objective(
        lambda W, c: np.sum(squares(W, c) / sizes) / 2 + a * np.linalg.norm(W, "nuc") + b * np.sum(W**2),
        penalty,
        settings,
    )


@row("MALSAR ``Least_Lasso``, rho1 a, rho_L2 b", a=2.0, b=0.5)
def malsar_lasso(_, penalty, settings, a, b):
    check_objective(lambda W, c: np.sum(squares(W, c)) / 2 + a * np.abs(W).sum() + b * np.sum(W**2), penalty, settings)


@row("MALSAR ``Least_L21``, rho1 a, rho_L2 b", a=2.0, b=0.5)
def malsar_l21(_, penalty, settings, a, b):
    check_objective(lambda W, c: np.sum(squares(W, c)) / 2 + a * row_norms(W) + b * np.sum(W**2), penalty, settings)


@row("MALSAR ``Logistic_L21``, rho1 a, rho_L2 b", a=0.02, b=0.01)
def malsar_logistic(_, penalty, settings, a, b):
    check_objective(
        lambda W, c: np.sum(logistic_means(W, c)) + a * row_norms(W) + b * np.sum(W**2), penalty, settings, signs=True
    )


@row("MALSAR ``Least_Dirty``, rho1 a, rho2 b", a=8.0, b=5.0)
def malsar_dirty(_, penalty, settings, a, b):
    def theirs(parts, c):
        P, Q = parts
        return np.sum(squares(P + Q, c)) + a * np.abs(P).max(axis=1).sum() + b * np.abs(Q).sum()

    check_objective(theirs, penalty, settings)


@row("MALSAR ``Least_Trace``, rho1 a", a=3.0)
def malsar_trace(_, penalty, settings, a):
    check_objective(lambda W, c: np.sum(squares(W, c)) / 2 + a * np.linalg.norm(W, "nuc"), penalty, settings)


@row("MALSAR ``Least_RMTL``, rho1 a, rho2 b", a=6.0, b=5.0)
def malsar_robust_low_rank(_, penalty, settings, a, b):
    def theirs(parts, c):
        L, S = parts
        return np.sum(squares(L + S, c)) + a * np.linalg.norm(L, "nuc") + b * row_norms(S.T)

    check_objective(theirs, penalty, settings)


@row("MALSAR ``Least_rMTFL``, rho1 a, rho2 b", a=6.0, b=5.0)
def malsar_robust_features(_, penalty, settings, a, b):
    def theirs(parts, c):
        P, Q = parts
        return np.sum(squares(P + Q, c)) + a * row_norms(P) + b * row_norms(Q.T)

    check_objective(theirs, penalty, settings)


# -- everything public is there, and documented --


def public_objects():
    found = {}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            found.setdefault(id(getattr(module, name)), (f"{module.__name__}.{name}", getattr(module, name)))
    return [value for value in found.values()]


PUBLIC = public_objects()
CALLABLE = [(name, o) for name, o in PUBLIC if inspect.isclass(o) or inspect.isfunction(o)]


@pytest.mark.parametrize("name", [name for name, _ in PUBLIC])
def test_public_name_is_in_the_reference(name):
    words = re.findall(r"[\w.]+", (DOCS / "api.rst").read_text())
    assert name.rpartition(".")[2] in {word.rpartition(".")[2] for word in words}


SECTIONS = [
    "Parameters",
    "Attributes",
    "Returns",
    "Yields",
    "Raises",
    "Warns",
    "See Also",
    "Notes",
    "References",
    "Examples",
]


def sections(obj):
    """Title -> text of the sections of a docstring."""
    doc = inspect.cleandoc(obj.__doc__ or "")
    pieces = re.split(r"^(\S[^\n]*)\n(-{3,})$", doc, flags=re.M)
    titles, dashes, texts = pieces[1::3], pieces[2::3], pieces[3::3]
    assert all(title in SECTIONS for title in titles), f"unknown section among {titles}"
    assert titles == sorted(titles, key=SECTIONS.index), f"{titles} are not in the order of numpydoc"
    assert [len(d) for d in dashes] == [len(t) for t in titles], "a line below a title has another length"
    return dict(zip(titles, texts, strict=True))


def documented(text):
    """Names that a section explains: ``name : type`` or ``one, two`` at its margin."""
    names = set()
    for line in text.splitlines():
        if line and not line[0].isspace():
            names |= {name.strip().lstrip("*") for name in line.split(" : ")[0].split(",")}
    return names


@pytest.mark.parametrize("name, obj", CALLABLE, ids=[name for name, _ in CALLABLE])
def test_docstring_explains_every_parameter(name, obj):
    assert obj.__doc__ and not obj.__doc__.startswith(f"{obj.__name__}("), "there is no docstring"
    found = sections(obj)
    own = inspect.signature(obj).parameters if obj.__init__ is not object.__init__ or inspect.isfunction(obj) else {}
    known = documented(found.get("Parameters", "")) | documented(found.get("Attributes", ""))
    missing = [p for p in own if p not in known]
    assert not missing, f"not explained: {missing}"
    if inspect.isfunction(obj):
        unknown = documented(found.get("Parameters", "")) - set(own)
        assert not unknown, f"explained, but not there: {unknown}"


METHODS = [
    (f"{name}.{key}", method)
    for name, cls in CALLABLE
    if inspect.isclass(cls)
    for key, method in inspect.getmembers(cls, inspect.isfunction)
    if not key.startswith("_") and method.__module__.startswith("mtlreg")
]


@pytest.mark.parametrize("name, method", METHODS, ids=[name for name, _ in METHODS])
def test_sections_of_methods_are_valid(name, method):
    found = sections(method)
    if "Parameters" in found:
        own = {p for p in inspect.signature(method).parameters if p != "self"}
        assert documented(found["Parameters"]) == own


@pytest.mark.parametrize("estimator", [BlockSparseRegressor, BlockSparseClassifier])
def test_documented_attributes_exist(estimator):
    text = sections(estimator)["Attributes"]
    classification = estimator is BlockSparseClassifier
    table = np.column_stack([X, np.arange(n) % 2])
    model = estimator(0.1, task_feature=-1).fit(table, BINARY[:, 0] if classification else Y[:, 0])
    missing = {a for a in documented(text) if not hasattr(model, a)}
    assert missing == {"feature_names_in_"}
