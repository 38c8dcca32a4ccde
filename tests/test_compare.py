"""Models side by side: the same splits, the same table for the same seed, both ways of giving tasks."""

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from mtlreg import L1, MultiTaskRegressor, PathSearchCV, melt, task_graph, task_tree
from mtlreg.__main__ import digits_tasks, few_per_digit, main
from mtlreg.compare import DEFAULT_FAMILIES, FAMILIES, compare
from mtlreg.datasets import make_block_sparse

FAST = ["independent", "pooled_intercepts", "l21"]


@pytest.fixture(scope="module")
def data():
    bunch = make_block_sparse(36, 40, 5, 3, missing=0.1, random_state=0)
    return bunch.X, bunch.y


@pytest.fixture(scope="module")
def comparison(data):
    return compare(*data, families=FAST, cv=3, n_alphas=3)


def test_sharing_features_beats_learning_alone(comparison):
    frame = comparison.to_frame()
    assert list(frame.index) == FAST
    assert comparison.metric == "r2"
    assert frame.loc["l21", "macro"] > frame.loc["independent", "macro"] > frame.loc["pooled_intercepts", "macro"]
    assert comparison.best_ == "l21"
    assert (frame[["helped", "unchanged", "hurt"]].sum(axis=1) == 5).all()
    assert np.isnan(frame.loc["independent", "over independent"])
    assert (frame["gap"] <= 1e-4).all()


def test_averages_are_named(comparison):
    l21 = comparison["l21"]
    np.testing.assert_allclose(l21.overall["macro"], np.nanmean(l21.scores, axis=1))
    assert set(l21.overall) == {"macro", "weighted", "pooled"}
    with pytest.raises(KeyError, match="no model 'l22'"):
        comparison["l22"]


def test_gains_are_paired_over_the_splits(comparison):
    gains = comparison["l21"].overall["macro"] - comparison["independent"].overall["macro"]
    mean, low, high = comparison.gain_interval("l21", "independent")
    assert mean == pytest.approx(gains.mean())
    # t quantile of two degrees of freedom
    half = 4.30265273 * np.sqrt((1 / 3 + comparison["l21"].share) * gains.var(ddof=1))
    np.testing.assert_allclose([low, high], [mean - half, mean + half])
    frame = comparison.to_frame()
    assert frame.loc["l21", "over independent, low"] == pytest.approx(low)


def test_the_table_says_it_all(comparison):
    text = str(comparison)
    for word in ("macro", "weighted", "pooled", "over independent", "over pooled_intercepts", "helped", "hurt", "gap"):
        assert word in text.splitlines()[0]
    assert "mean over 3 splits" in text and "mean of 5 tasks" in text


def test_as_plain_objects(comparison):
    found = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert found["best"] == "l21"
    assert [model["model"] for model in found["models"]] == FAST
    assert np.array(found["models"][0]["scores"]).shape == (3, 5)
    assert comparison.task_frame().shape == (5, 3)


@pytest.mark.parametrize("layout", ["shared", pytest.param("stacked", marks=pytest.mark.slow)])
def test_every_family_in_both_layouts(data, layout):
    X, Y = data[0][:, :8], data[1]
    table = {"X": X, "y": Y}
    if layout == "stacked":
        table = dict(zip(("X", "y"), melt(X, Y), strict=True)) | {"task_feature": -1}
    found = compare(**table, families="all", cv=2, n_alphas=2, inner_cv=2)
    assert [r.name for r in found.results] == list(FAMILIES)
    assert np.isfinite([r.overall["macro"] for r in found.results]).all()


@pytest.mark.parametrize("families", [["graph", "tree", "box"], pytest.param("all", marks=pytest.mark.slow)])
def test_families_for_classes(data, families):
    X, Y = data[0][:, :8], data[1]
    found = compare(X, (Y > 0).astype(int), families=families, cv=2, n_alphas=2, inner_cv=2)
    if families == "all":
        families = [name for name in FAMILIES if name != "calibrated"]
    assert [r.name for r in found.results] == families
    assert np.isfinite([r.overall["macro"] for r in found.results]).all()


def test_what_is_compared_by_default(data):
    X, Y = data
    assert set(DEFAULT_FAMILIES) < set(FAMILIES)
    with pytest.raises(ValueError, match="'calibrated', which is for regression"):
        compare(X, (Y > 0).astype(int), families=["calibrated"])


def test_names_have_no_order(data):
    pd = pytest.importorskip("pandas")
    X, y = melt(data[0][:, :4], data[1][:, :3])
    table = pd.DataFrame(X, columns=[*"abcd", "task"])
    table["task"] = table["task"].map({0: "u", 1: "v", 2: "w"})
    with pytest.raises(ValueError, match="'temporal', which needs tasks in an order"):
        compare(table, y, task_feature="task", families=["temporal"])


@pytest.mark.parametrize("task_feature", [None, -1])
def test_structures_are_those_of_the_training_part(data, task_feature):
    X, Y = data[0][:, :8], data[1]
    if task_feature is not None:
        X, Y = melt(X, Y)
    found = compare(X, Y, task_feature=task_feature, families=["graph", "tree"], cv=2, n_alphas=2, refit=True)
    model = found.best_estimator_
    alone = MultiTaskRegressor(L1(0.0, alpha_ridge=0.1), standardize=True, tol=1e-4)
    made = {"graph": task_graph, "tree": task_tree}[found.best_](X, Y, task_feature, estimator=alone)
    assert getattr(model.best_estimator_.penalty, found.best_) == made
    np.testing.assert_array_equal(model.predict(X), model.best_estimator_.predict(X))


def test_a_frame_of_labels(data):
    pd = pytest.importorskip("pandas")
    X, Y = data
    names = list("abcde")
    found = compare(X, pd.DataFrame(Y, columns=names), families=["independent", "pooled", "l21"], cv=2, n_alphas=2)
    assert found.tasks == names
    plain = compare(X, Y, families=["independent", "pooled", "l21"], cv=2, n_alphas=2)
    for one, other in zip(found.results, plain.results, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-12)


def test_a_task_of_one_class():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3))
    y = np.where(X[:, 0] + 0.5 * rng.standard_normal(90) > 0, "yes", "no").astype(object)
    y[60:] = "yes"
    X = np.column_stack([X, np.repeat([0, 1, 2], 30)])
    families = ["independent", "pooled", "pooled_intercepts", "l21"]
    found = compare(X, y, task_feature=-1, families=families, cv=3, n_alphas=2)
    for result in found.results:
        assert np.isfinite(result.scores[:, :2]).all()
        assert np.isnan(result.scores[:, 2]).all()  # the area under the curve is not defined


def test_tasks_with_classes_of_their_own():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3))
    y = (X[:, 0] + 0.3 * rng.standard_normal(120) > 0).astype(int)
    y[60:] += 2
    X = np.column_stack([X, np.repeat([0, 1], 60)])
    found = compare(X, y, task_feature=-1, families=["independent", "l21"], metric="roc_auc", cv=2, n_alphas=2)
    assert min(np.nanmin(r.scores) for r in found.results) > 0.9


def test_models_of_the_user(data):
    X, Y = data
    extra = {
        "forest": RandomForestRegressor(5, random_state=0),
        "dirty path": PathSearchCV(MultiTaskRegressor(), alphas=2),
    }
    found = compare(X, Y, families=["independent"], extra=extra, cv=2, n_alphas=2, refit=True)
    assert [r.name for r in found.results] == ["independent", "forest", "dirty path"]
    assert np.isnan(found["forest"].gap) and found["dirty path"].gap <= 1e-6
    assert found.best_estimator_.predict(X).shape == Y.shape
    with pytest.raises(ValueError, match="one of the families"):
        compare(X, Y, extra={"l21": RandomForestRegressor()})
    with pytest.raises(TypeError, match="must be an estimator"):
        compare(X, Y, extra={"mine": 3})


def test_a_cache_resumes(data, tmp_path, monkeypatch):
    settings = {"families": ["l1", "l21"], "cv": 2, "n_alphas": 2, "cache": tmp_path / "kept"}
    one = compare(*data, **settings)
    import mtlreg.compare._run as module

    def never(*args):
        raise AssertionError("what was done is done again")

    monkeypatch.setattr(module, "fit_quietly", never)
    other = compare(*data, **settings)
    for a, b in zip(one.results, other.results, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
        assert a.seconds == b.seconds
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        compare(*data, **settings | {"cache": tmp_path / "file"})


def test_progress_is_on_stderr(data, capsys):
    compare(*data, families=["l21"], cv=2, n_alphas=2, verbose=1)
    out, err = capsys.readouterr()
    assert not out
    assert "[2/2] l21, split 2 of 2" in err and "s left" in err


def test_tasks_too_small_to_be_tested(data):
    X, Y = data
    Y = Y.copy()
    Y[2:, 4] = np.nan
    Y[:2, 4] = [0.0, 1.0]
    found = compare(X, Y, families=["l1", "l21"], cv=3, n_alphas=2)
    assert found.untested == [4]
    assert "1 tasks have too few labels to be tested (trained on only): 4" in str(found)


def test_same_seed_same_table_whatever_the_number_of_jobs(data, comparison):
    again = compare(*data, families=FAST, cv=3, n_alphas=3, n_jobs=2)
    for one, other in zip(comparison.results, again.results, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-12)


def test_a_task_column(data):
    X, Y = data
    X, y = melt(X, Y)
    found = compare(X, y, task_feature=-1, families=["independent", "pooled", "l21", "mlp"], cv=2, n_alphas=2)
    assert found.tasks == [0, 1, 2, 3, 4]
    assert all(np.isfinite(r.scores).all() for r in found.results)


def test_classes():
    X, Y, digit = digits_tasks()
    splits = few_per_digit(digit, 10, 1)
    found = compare(X, Y[:, :3], families=["independent", "l21"], cv=splits, n_alphas=2)
    assert found.metric == "roc_auc"
    assert found.to_frame()["macro"].min() > 0.9


def test_plot(comparison):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = comparison.plot(figure.subplots())
    assert [label.get_text() for label in ax.get_yticklabels()] == FAST


def test_splits_have_few_images_of_every_digit():
    _, _, digit = digits_tasks()
    ((train, test),) = few_per_digit(digit, 20, 1)
    assert (np.bincount(digit[train]) == 20).all()
    assert len(np.intersect1d(train, test)) == 0 and len(train) + len(test) == len(digit)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"families": ["l22"]}, "families has 'l22'"),
        ({"metric": "rmse"}, "greater is better"),
        ({"metric": "r3"}, "Unknown metric 'r3'"),
        ({"choose_by": "mean"}, "choose_by='mean' must be"),
    ],
)
def test_bad_input(data, parameters, message):
    with pytest.raises(ValueError, match=message):
        compare(*data, **parameters)


def test_the_command_prints_a_table_and_saves_a_picture(tmp_path, capsys, monkeypatch):
    import mtlreg.__main__ as command

    monkeypatch.setattr(command, "SIZES", (10,))
    monkeypatch.setattr(command, "DEFAULT_FAMILIES", ["pooled", "l21"])
    monkeypatch.setattr(command, "compare", lambda X, Y, **kw: compare(X, Y, n_alphas=1, **kw))
    picture = tmp_path / "digits.png"
    assert main(["--splits", "1", "--jobs", "1", "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    assert all(FAMILIES[name] in out for name in ("pooled", "l21")) and "10 training images" in out
    assert picture.stat().st_size > 1000
