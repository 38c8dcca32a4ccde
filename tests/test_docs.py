"""The pages in docs/ say what is true: their code runs, the table of conversions holds, and everything public is documented."""

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
ROWS = [slice(0, 9), slice(9, 16), slice(16, 30)]  # tasks of different size
TIGHT = {"tol": 1e-12, "max_iter": 100_000}
n = len(X)


def same(model, other, atol=1e-5):
    np.testing.assert_allclose(model.coef_, np.reshape(other.coef_, model.coef_.shape), atol=atol)
    np.testing.assert_allclose(model.intercept_, np.reshape(other.intercept_, np.shape(model.intercept_)), atol=atol)


def regressor(penalty, loss="squared", **parameters):
    return MultiTaskRegressor(penalty, loss=loss, **TIGHT, **parameters)


def classifier(penalty, **parameters):
    return MultiTaskClassifier(penalty, **TIGHT, **parameters)


def multi_task_lasso(a=0.3):
    other = linear_model.MultiTaskLasso(a, **TIGHT).fit(X, Y)
    same(regressor(L21(a)).fit(X, Y), other)
    same(BlockSparseRegressor(a, **TIGHT).fit(X, Y), other)


def multi_task_elastic_net(a=0.3, ratio=0.4):
    other = linear_model.MultiTaskElasticNet(a, l1_ratio=ratio, **TIGHT).fit(X, Y)
    same(regressor(L21(a * ratio, alpha_ridge=a * (1 - ratio))).fit(X, Y), other)


def lasso(a=0.3):
    same(regressor(L1(a)).fit(X, Y[:, 0]), linear_model.Lasso(a, **TIGHT).fit(X, Y[:, 0]))


def elastic_net(a=0.3, ratio=0.4):
    other = linear_model.ElasticNet(a, l1_ratio=ratio, **TIGHT).fit(X, Y[:, 0])
    same(regressor(L1(a * ratio, alpha_ridge=a * (1 - ratio))).fit(X, Y[:, 0]), other)


def ridge(a=3.0):
    other = linear_model.Ridge(a).fit(X, Y[:, 0])
    same(regressor(L1(0.0, alpha_ridge=a / n)).fit(X, Y[:, 0]), other)


def logistic_ridge(C=0.7):
    for y in (BINARY[:, 0], CLASSES):
        other = linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y)
        model = classifier(L1(0.0, alpha_ridge=1 / (n * C))).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-5)
        np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-4)


def logistic_lasso(C=0.7):
    y = BINARY[:, 0]
    # liblinear penalises the intercept, saga is slow: compare without one
    settings = {"solver": "liblinear", "fit_intercept": False, "tol": 1e-10, "max_iter": 10_000, "random_state": 0}
    lasso = {"l1_ratio": 1} if linear_model.LogisticRegression().get_params().get("penalty") != "l2" else {"penalty": "l1"}
    other = linear_model.LogisticRegression(C=C, **lasso, **settings).fit(X, y)
    model = classifier(L1(1 / (n * C)), fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-4)


def linear_svc(C=0.7):
    y = BINARY[:, 0]
    other = svm.LinearSVC(C=C, fit_intercept=False, tol=1e-10, max_iter=100_000, random_state=0).fit(X, y)
    model = classifier(L1(0.0, alpha_ridge=1 / (2 * n * C)), loss="squared_hinge", fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-4)


def poisson(a=0.3):
    other = linear_model.PoissonRegressor(alpha=a, tol=1e-10, max_iter=10_000).fit(X, COUNTS)
    same(regressor(L1(0.0, alpha_ridge=a), loss="poisson").fit(X, COUNTS), other, atol=1e-4)


def glmnet(a=0.2, ratio=0.7):
    # coefficients printed by glmnet 4.1-6 in R: glmnet(x, y, family = "mgaussian", alpha = 0.7, lambda = c(1, 0.5, 0.2),
    # standardize = FALSE, thresh = 1e-16), intercepts first
    x = np.array([[0.0, 1, 2, 3, 4, 6], [1, 0, 2, 1, 5, 3], [2, 2, 0, 1, 1, 0]]).T
    y = np.array([[1.0, 2, 4, 5, 9, 10], [0, 1, -1, 2, 0, 3]]).T
    printed = [
        [0.51479019082, 1.25976330233, 0.62323257215, 0.04604252532],
        [-0.5080247850, 0.8136650719, -0.5876454494, 0.3468754920],
    ]
    penalty = L21(a * ratio, alpha_ridge=a * (1 - ratio))
    model = regressor(penalty).fit(x, y)
    np.testing.assert_allclose(np.column_stack([model.intercept_, model.coef_]), printed, atol=1e-6)

    def theirs(W, b):
        squares = np.sum((Y - X @ W - b) ** 2) / (2 * n)
        return squares + a * ((1 - ratio) * np.sum(W**2) / 2 + ratio * np.linalg.norm(W, axis=1).sum())

    compare_objectives(theirs, ours([X] * 4, list(Y.T), "squared", penalty), 1.0)
    scaled = regressor(penalty, standardize=True).fit(X, Y)
    by_hand = regressor(penalty).fit(X / X.std(axis=0), Y)
    np.testing.assert_allclose(scaled.coef_ * X.std(axis=0), by_hand.coef_, atol=1e-5)


LISTS = [X[r] for r in ROWS], [Y[r, t] for t, r in enumerate(ROWS)]
SIGNS = [2.0 * BINARY[r, t] - 1 for t, r in enumerate(ROWS)]  # labels -1 and 1, as RMTL and MALSAR have them
N_BAR = n / len(ROWS)


def row_norms(W):
    return np.linalg.norm(W, axis=1).sum()


def sums_of_squares(W, b):
    return [np.sum((y - x @ W[:, t] - b[t]) ** 2) for t, (x, y) in enumerate(zip(*LISTS, strict=True))]


def logistic_means(W, b):
    return [np.mean(np.logaddexp(0, -y * (x @ W[:, t] + b[t]))) for t, (x, y) in enumerate(zip(LISTS[0], SIGNS, strict=True))]


def ours(xs, ys, loss, penalty, balanced=False):
    """The objective of the page on the model, as a function of W (or its parts) and b."""
    total = sum(len(y) for y in ys)

    def objective(W, b):
        value = penalty.value(W)
        W = W.sum(axis=0) if W.ndim == 3 else W
        for t, (x, y) in enumerate(zip(xs, ys, strict=True)):
            eta = x @ W[:, t] + b[t]
            losses = (y - eta) ** 2 / 2 if loss == "squared" else np.logaddexp(0, eta) - y * eta
            value += losses.sum() / (len(y) if balanced else total / len(ys))
        return value

    return objective


def compare_objectives(theirs, mine, factor, parts=None, intercept=True):
    """``theirs = factor * mine`` at random coefficients."""
    for seed in range(5):
        random = np.random.default_rng(seed)
        W = random.standard_normal((parts, 6, 4) if parts else (6, 4))
        b = random.standard_normal(4) if intercept else np.zeros(4)
        np.testing.assert_allclose(theirs(W, b), factor * mine(W, b), rtol=1e-12)


def compare_tasks(theirs, penalty, factor, *, signs=False, balanced=False, intercept=True):
    """Both objectives at random W, and ours at the fitted W, where no other W may have a lower value of theirs."""
    xs, ys = LISTS[0], [(s + 1) / 2 for s in SIGNS] if signs else LISTS[1]
    mine = ours(xs, ys, "logistic" if signs else "squared", penalty, balanced)
    parts = len(penalty.part_names) or None
    compare_objectives(theirs, mine, factor, parts, intercept)
    table, y = stack_tasks(xs, ys)
    settings = {"task_weight": "balanced" if balanced else None, "fit_intercept": intercept, "task_feature": -1}
    model = (classifier if signs else regressor)(penalty, **settings).fit(table, y)
    fitted = [part.T for part in model.components_.values()]
    W = np.stack(fitted) if parts else fitted[0]
    least = theirs(W, model.intercept_)
    np.testing.assert_allclose(least, factor * model.objective_, rtol=1e-9)
    for seed in range(20):
        random = np.random.default_rng(seed)
        b = model.intercept_ + (1e-3 * random.standard_normal(3) if intercept else 0)
        assert theirs(W + 1e-3 * random.standard_normal(W.shape), b) >= least


def rmtl_regression(a=0.2, b=0.1):
    def theirs(W, c):
        means = [s / len(y) / 2 for s, y in zip(sums_of_squares(W, c), LISTS[1], strict=True)]
        return sum(means) + a * row_norms(W) + b * np.sum(W**2)

    compare_tasks(theirs, L21(a, alpha_ridge=2 * b), 1.0, balanced=True)


def rmtl_classification(a=0.02, b=0.01):
    def theirs(W, c):
        return sum(logistic_means(W, c)) + a * row_norms(W) + b * np.sum(W**2)

    compare_tasks(theirs, L21(a, alpha_ridge=2 * b), 1.0, signs=True, balanced=True)


def malsar_lasso(a=2.0, b=0.5):
    def theirs(W, c):
        return sum(sums_of_squares(W, c)) / 2 + a * np.abs(W).sum() + b * np.sum(W**2)

    compare_tasks(theirs, L1(a / N_BAR, alpha_ridge=2 * b / N_BAR), N_BAR, intercept=False)


def malsar_l21(a=2.0, b=0.5):
    def theirs(W, c):
        return sum(sums_of_squares(W, c)) / 2 + a * row_norms(W) + b * np.sum(W**2)

    compare_tasks(theirs, L21(a / N_BAR, alpha_ridge=2 * b / N_BAR), N_BAR, intercept=False)


def malsar_logistic(a=0.02, b=0.01):
    def theirs(W, c):
        return sum(logistic_means(W, c)) + a * row_norms(W) + b * np.sum(W**2)

    compare_tasks(theirs, L21(a, alpha_ridge=2 * b), 1.0, signs=True, balanced=True)


def malsar_dirty(a=8.0, b=4.0):
    def theirs(parts, c):
        P, Q = parts
        return sum(sums_of_squares(P + Q, c)) + a * np.abs(P).max(axis=1).sum() + b * np.abs(Q).sum()

    parts = [("shared", L1Linf(a / (2 * N_BAR))), ("specific", L1(b / (2 * N_BAR)))]
    compare_tasks(theirs, InfimalConvolution(parts), 2 * N_BAR, intercept=False)


CONVERSIONS = {
    "scikit-learn ``MultiTaskLasso(a)``": multi_task_lasso,
    "scikit-learn ``MultiTaskElasticNet(a, l1_ratio=l)``": multi_task_elastic_net,
    "scikit-learn ``Lasso(a)``": lasso,
    "scikit-learn ``ElasticNet(a, l1_ratio=l)``": elastic_net,
    "scikit-learn ``Ridge(a)``": ridge,
    "scikit-learn ``LogisticRegression(C=C)``": logistic_ridge,
    "scikit-learn ``LogisticRegression(C=C, l1_ratio=1)``": logistic_lasso,
    "scikit-learn ``LinearSVC(C=C)``": linear_svc,
    "scikit-learn ``PoissonRegressor(a)``": poisson,
    "glmnet ``mgaussian(lambda=a, alpha=l)``": glmnet,
    'RMTL ``MTL(type="Regression", L21, Lam1=a, Lam2=b)``': rmtl_regression,
    'RMTL ``MTL(type="Classification", L21, Lam1=a, Lam2=b)``': rmtl_classification,
    "MALSAR ``Least_Lasso(rho1=a, rho_L2=b)``": malsar_lasso,
    "MALSAR ``Least_L21(rho1=a, rho_L2=b)``": malsar_l21,
    "MALSAR ``Logistic_L21(rho1=a, rho_L2=b)``": malsar_logistic,
    "MALSAR ``Least_Dirty(rho1=a, rho2=b)``": malsar_dirty,
}


@pytest.mark.parametrize("row", CONVERSIONS)
def test_conversion_holds(row):
    CONVERSIONS[row]()


def test_every_row_of_the_table_is_checked():
    _, table = (DOCS / "guide" / "model.rst").read_text().split(".. _conversion:")
    assert re.findall(r"^   \* - (.*)$", table, flags=re.M) == ["Other package", *CONVERSIONS]


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
