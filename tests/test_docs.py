"""The pages in docs/ say what is true: their code runs, everything public is documented."""

import doctest
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mtlreg import BlockSparseClassifier, BlockSparseRegressor

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
    X = np.random.default_rng(0).standard_normal((30, 7))
    X[:, -1] = np.arange(30) % 2
    classification = estimator is BlockSparseClassifier
    model = estimator(0.1, task_feature=-1).fit(X, X[:, 0] > 0 if classification else X[:, 0])
    missing = {a for a in documented(text) if not hasattr(model, a)}
    assert missing == {"feature_names_in_"} | (set() if classification else {"noise_scale_"})
    if not classification:
        assert hasattr(estimator(0.1, loss="calibrated").fit(X, X[:, :2]), "noise_scale_")
