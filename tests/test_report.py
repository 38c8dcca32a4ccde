"""The report of a comparison: what is on the page, and that it stands alone."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mtlreg import SharedLayerRegressor
from mtlreg.compare import compare
from mtlreg.datasets import make_dirty

pytest.importorskip("matplotlib")

VOID = {"meta", "br", "hr", "img", "input", "link", "path", "use"}


class Page(HTMLParser):
    """A page read with a check that its tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def written(found, X, y, folder, **more):
    text = found.report(folder / "r.html", X, y, **more).read_text(encoding="utf-8")
    return Page(text), text


def said_on(page):
    return " ".join(" ".join(page.text).split())


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """A comparison with its page and the page's text."""
    data = make_dirty(n_samples=60, n_features=30, n_tasks=6, missing=0.1, random_state=0)
    found = compare(data.X, data.y, families=["independent", "l21", "dirty", "net"], cv=2, n_alphas=3)
    return found, *written(found, data.X, data.y, tmp_path_factory.mktemp("report"), command="python <script> & more")


def test_the_page_says_what_was_found(dirty):
    found, page, text = dirty
    said = said_on(page)
    assert f"The best of 4 models is {found.best_}" in said
    assert "missing labels 10" in said and "python <script> & more" in said
    assert "<script>" not in text
    for name in ("independent", "l21", "dirty", "net"):
        assert f"{np.mean(found[name].overall['macro']):.4f}" in said
    assert "shared" in said and "specific" in said  # the parts of the dirty model, if it is the best linear one
    assert "held out" in text  # the net's losses
    assert said.count("mtlreg") >= 1 and "random_state" in said


def test_it_stands_alone(dirty):
    _, page, text = dirty
    links = [a["href"] for a in page.all("a")]
    assert all(link.startswith("#") for link in links)
    anchors = {attributes.get("id") for _, attributes in page.tags}
    assert {link[1:] for link in links} <= anchors
    assert not page.all("script") and not page.all("link") and not page.all("img")
    # what pictures name are parts of themselves and the names of XML's vocabularies
    addresses = set(re.findall(r'https?://[^"\s<>)]+', text))
    assert all("w3.org" in a or "purl.org" in a or "creativecommons" in a or "matplotlib.org" in a for a in addresses)
    assert not re.search(r'(src|href)="http', text)


def test_it_can_be_heard_and_used_by_keyboard(dirty):
    _, page, _ = dirty
    assert page.all("html")[0]["lang"] == "en" and page.all("title")
    pictures = [a for a in page.all("svg")]
    assert len(pictures) >= 6
    assert all(a["role"] == "img" and len(a["aria-label"]) > 20 for a in pictures)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(a["scope"] in ("col", "row") for a in page.all("th"))
    assert all(a["tabindex"] == "0" for a in page.all("div") if a.get("class") == "wide")


def test_it_takes_the_colours_of_the_reader(dirty):
    _, _, text = dirty
    assert "prefers-color-scheme: dark" in text and "currentColor" in text
    assert "#010203" not in text


def test_names_are_unique(dirty):
    _, page, _ = dirty
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 20


def test_odd_names_and_many_classes(tmp_path):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((90, 4)), columns=["a$b", "<i>", "x_$1$", "plain"])
    y = pd.DataFrame({r"$\frac$": np.arange(90) % 3, "<b>bold</b>": rng.integers(0, 3, 90), "c": np.arange(90) % 3})
    found = compare(X, y, families=["l21", "net"], cv=2, n_alphas=2)
    page, text = written(found, X, y, tmp_path)
    assert "<b>bold" not in text and "<i>" not in text
    said = said_on(page)
    assert r"$\frac$: 0" in said and "x_$1$" in said and "a$b" in said


def test_one_split(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    Y = X @ rng.standard_normal((3, 3))
    found = compare(X, Y, families=["independent", "l21"], cv=[(np.arange(30), np.arange(30, 40))], n_alphas=2)
    page, _ = written(found, X, Y, tmp_path)
    assert "labels of a task" in said_on(page)


def test_a_task_column_and_models_without_coefficients(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 4))
    y = (X[:, 0] > 0).astype(int)
    table = np.column_stack([X, np.arange(90) % 3])
    found = compare(table, y, task_feature=-1, families=["independent", "pooled"], cv=2, n_alphas=2)
    page, _ = written(found, table, y, tmp_path)
    said = said_on(page)
    assert "tasks 3" in said and "labels of a task 30 to 30" in said
    assert "What is shared" not in said and "The net" not in said


def test_a_model_of_the_users(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    Y = X @ rng.standard_normal((3, 3))
    extra = {"mine": SharedLayerRegressor((4,), max_iter=5, random_state=0)}
    found = compare(X, Y, families=["l21"], extra=extra, cv=2, n_alphas=2)
    page, _ = written(found, X, Y, tmp_path)
    assert "given by the user" in said_on(page)


def test_similarity_of_tasks_that_are_nearly_alike():
    from mtlreg.report import _figures

    rng = np.random.default_rng(0)
    apart = rng.standard_normal((6, 5))
    apart[3:] = apart[:3] + 0.01 * rng.standard_normal((3, 5))
    _, order, beside = _figures.similarity(apart, list("abcdef"))
    assert not beside
    assert all(abs(order.index(one) - order.index(other)) == 1 for one, other in zip("abc", "def", strict=True))
    _, again, beside = _figures.similarity(apart + 100, list("abcdef"))
    assert beside and all(abs(again.index(a) - again.index(b)) == 1 for a, b in zip("abc", "def", strict=True))
