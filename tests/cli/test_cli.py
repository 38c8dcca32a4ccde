"""The commands that read CSV files: what they print and write."""

import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from cli_table import N

from mtlreg.cli import _compare, _features
from mtlreg.cli._model import SavedModel
from mtlreg.compare import compare

pd = pytest.importorskip("pandas")

# the oldest matplotlib with a new pyparsing
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated - use:DeprecationWarning")

QUICK = ["--folds", "2", "--inner-folds", "2", "--alphas", "2", "--families", "l21", "--quiet"]


def features(table):
    """The numbers that the commands make of the features of the table."""
    X = table[["a", "b", "c", "flag"]].astype(float)
    for level in ("blue", "green", "red"):
        X[f"color_{level}"] = (table["color"] == level).astype(float)
    return X


FEATURES = ["--features", "a,b,c,color,flag"]


def test_two_targets_give_the_table_that_compare_gives(run, table):
    done = run("compare", "t.csv", "--target", "u,v", *FEATURES, *QUICK, "--json", "o.json")
    assert done.status == 0 and done.err == ""
    assert "Column 'color' is text with 3 levels: 3 indicators." in done.out
    direct = compare(features(table), table[["u", "v"]].to_numpy(), families=["l21"], cv=2, inner_cv=2, n_alphas=2)
    found = json.loads(Path("o.json").read_text())
    assert found["models"][0]["macro"] == pytest.approx(direct["l21"].overall["macro"].mean(), rel=1e-6)
    assert found["tasks"] == ["u", "v"] and found["metric"] == "r2"
    assert f"{found['models'][0]['macro']:.4f}" in done.out
    settings = found["settings"]
    assert settings["features"] == ["a", "b", "c", "color", "flag"] and settings["file"] == "t.csv"
    assert settings["seed"] == 0 and settings["version"] and settings["kind"] == "regression"


def test_predictions_are_those_of_the_estimator(run, table):
    run("compare", "t.csv", "--target", "u,v", *FEATURES, *QUICK, "--save", "m.joblib")
    new = table.iloc[[5, 3, 9]][["flag", "v", "color", "c", "b", "a"]]
    new.to_csv("new.csv.gz", index=False)
    done = run("predict", "m.joblib", "new.csv.gz", "--out", "p.csv")
    assert done.status == 0 and done.out == ""
    direct = SavedModel.load("m.joblib").estimator.predict(features(new))
    np.testing.assert_allclose(pd.read_csv("p.csv")[["u", "v"]], direct, rtol=1e-12)
    printed = run("predict", "m.joblib", "new.csv.gz").out
    assert printed == Path("p.csv").read_text()


def test_a_task_column_is_text(run, table):
    done = run("compare", "t.csv", "--target", "v", "--task", "school", "--features", "a,b,c", *QUICK,
               "--save", "m.joblib", "--json", "o.json")  # fmt: skip
    assert done.status == 0
    assert json.loads(Path("o.json").read_text())["tasks"] == ["01", "2", "x"]
    estimator = SavedModel.load("m.joblib").estimator
    table.assign(school=["01", "2"] * (N // 2)).to_csv("new.csv", index=False)
    run("predict", "m.joblib", "new.csv", "--out", "p.csv")
    X = table[["a", "b", "c"]].assign(school=np.array(["01", "2"] * (N // 2), dtype=object))
    np.testing.assert_allclose(pd.read_csv("p.csv")["v"], estimator.predict(X), rtol=1e-12)


def test_several_targets_and_a_task_column(run, table):
    holes = table.copy()
    holes.loc[holes["school"] == "2", "u"] = np.nan
    holes.to_csv("t.csv", index=False)
    done = run("compare", "t.csv", "--target", "u,v", "--task", "school", "--features", "a,b,c", *QUICK,
               "--save", "m.joblib")  # fmt: skip
    model = SavedModel.load("m.joblib")
    assert model.tasks == ["01 / u", "01 / v", "2 / v", "x / u", "x / v"]
    done = run("predict", "m.joblib", "t.csv", "--out", "p.csv")
    assert "had no label of the target" in done.err
    found = pd.read_csv("p.csv")
    pair = np.array([f"{s} / v" for s in table["school"]], dtype=object)
    direct = model.estimator.predict(table[["a", "b", "c"]].assign(school=pair))
    np.testing.assert_allclose(found["v"], direct, rtol=1e-12)
    np.testing.assert_array_equal(found["u"].isna(), table["school"] == "2")


@pytest.mark.parametrize("family", ["independent", "l21", "mlp"])
@pytest.mark.parametrize("task", [[], ["--task", "school"]])
def test_classes_keep_their_type(run, table, family, task):
    done = run("compare", "t.csv", "--target", "yes,hit,true", "--features", "a,b,c,color", *task, *QUICK,
               "--families", family, "--save", "m.joblib")  # fmt: skip
    assert done.status == 0, done.err
    assert "Target 'yes': 2 classes, no, yes." in done.out
    assert "Target 'hit': 2 classes, 0, 1 (--kind regression takes them as numbers)." in done.out
    assert run("predict", "m.joblib", "t.csv", "--out", "p.csv").status == 0
    found = pd.read_csv("p.csv", dtype=str)
    for target, second in [("yes", "yes"), ("hit", "1"), ("true", "True")]:
        assert set(found[target]) <= set(table[target].dropna().astype(str))
        likely = found[f"{target}_probability"].astype(float)
        assert likely.between(0, 1).all()
        agree = (likely > 0.5) == (found[target] == second)
        # one model for all targets may prefer the class of another target
        assert agree.mean() == 1 or family == "mlp"


def test_one_target_of_two_classes(run, table):
    run("compare", "t.csv", "--target", "yes", "--features", "a,b,c", *QUICK, "--save", "m.joblib")
    run("predict", "m.joblib", "t.csv", "--out", "p.csv")
    found = pd.read_csv("p.csv")
    estimator = SavedModel.load("m.joblib").estimator
    np.testing.assert_array_equal(found["yes"], estimator.predict(table[["a", "b", "c"]]))
    np.testing.assert_allclose(found["yes_probability"], estimator.predict_proba(table[["a", "b", "c"]])[:, 1])
    assert (found["yes"] == table["yes"])[table["yes"].notna()].mean() > 0.8


@pytest.mark.parametrize("target", ["hit", "true", "yes"])
@pytest.mark.parametrize("task", [[], ["--task", "school"]])
def test_one_target_in_a_net(run, target, task):
    options = ["--features", "a,b,c", *task, *QUICK, "--families", "mlp", "--save", "m.joblib"]
    assert run("compare", "t.csv", "--target", target, *options).status == 0
    done = run("predict", "m.joblib", "t.csv")
    assert done.out.startswith(f"{target},{target}_probability\n") and done.status == 0


def test_kind_overrides_what_the_target_looks_like(run):
    found = {}
    for kind in ("auto", "regression"):
        run("compare", "t.csv", "--target", "hit", *FEATURES, *QUICK, "--kind", kind, "--json", "o.json")
        found[kind] = json.loads(Path("o.json").read_text())["metric"]
    assert found == {"auto": "roc_auc", "regression": "r2"}


def test_integers_as_classes(run):
    done = run("compare", "t.csv", "--target", "rank", "--features", "a,b", *QUICK, "--families", "mlp", "--kind",
               "classification", "--save", "m.joblib")  # fmt: skip
    assert "3 classes, 1, 2, 3." in done.out and "accuracy, mean over 2 splits" in done.out
    run("predict", "m.joblib", "t.csv", "--out", "p.csv")
    found = pd.read_csv("p.csv")
    assert list(found) == ["rank"] and found["rank"].isin([1, 2, 3]).all()


def test_empty_cells_of_features(run, table):
    holes = table.copy()
    holes.loc[:3, "a"], holes.loc[2, "color"] = np.nan, None
    holes.to_csv("t.csv", index=False)
    refused = run("compare", "t.csv", "--target", "v", *FEATURES, *QUICK)
    assert refused.status == 2 and "'a' (4), 'color' (1)" in refused.err and "--impute median" in refused.err
    done = run("compare", "t.csv", "--target", "v", *FEATURES, *QUICK, "--impute", "median", "--save", "m.joblib")
    assert "Empty cells of 'a', 'color': numbers become the median" in done.out
    run("predict", "m.joblib", "t.csv", "--out", "p.csv")
    X = features(holes)
    X["a"] = X["a"].fillna(X["a"].median())
    direct = np.ravel(SavedModel.load("m.joblib").estimator.predict(X))
    np.testing.assert_allclose(pd.read_csv("p.csv")["v"], direct, rtol=1e-12)


def test_a_level_that_is_new_is_said(run, table):
    run("compare", "t.csv", "--target", "v", *FEATURES, *QUICK, "--save", "m.joblib")
    table.replace({"color": {"red": "pink"}}).to_csv("new.csv", index=False)
    done = run("predict", "m.joblib", "new.csv")
    assert done.status == 0 and "Column 'color' has levels that were not there in training" in done.err
    assert "'pink'" in done.err and len(done.out.splitlines()) == N + 1


def test_all_that_can_be_saved_is(run):
    pytest.importorskip("matplotlib")
    done = run("compare", "t.csv", "--target", "u", *FEATURES, *QUICK, "--save", "m", "--json", "j", "--plot", "p.png")
    assert [line.rpartition(" ")[2] for line in done.out.splitlines()[-3:]] == ["m", "j", "p.png"]
    assert Path("p.png").read_bytes()[:4] == b"\x89PNG"


def test_many_cells_are_float32(run, monkeypatch):
    monkeypatch.setattr(_features, "LARGE", 10)
    given = {}
    monkeypatch.setattr(_compare, "compare", lambda X, y, **how: given.update(X=X) or compare(X, y, **how))
    done = run("compare", "t.csv", "--target", "u", *FEATURES, *QUICK)
    assert (given["X"].dtypes == np.float32).all() and "float32" in done.out


def test_progress_is_on_stderr_and_nameless_columns_are_left_out(run, table):
    table.to_csv("t.csv")
    done = run("compare", "t.csv", "--target", "u", "--exclude", "school,v,yes,hit,true,rank", *QUICK[:-1],
               "--json", "o.json")  # fmt: skip
    assert "[2/2] l21, split 2 of 2" in done.err and "[2/2]" not in done.out
    assert "Columns without a name are left out (at position 1)." in done.out
    assert json.loads(Path("o.json").read_text())["settings"]["features"] == ["a", "b", "c", "color", "flag"]


def test_an_interrupt_says_what_is_kept(run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_compare, "compare", interrupted)
    assert run("compare", "t.csv", "--target", "u", *FEATURES).status == 130
    done = run("compare", "t.csv", "--target", "u", *FEATURES, "--cache", "kept")
    assert done.status == 130 and "is kept in kept" in done.err


def test_a_cache_is_used(run):
    tables = [run("compare", "t.csv", "--target", "u", *FEATURES, *QUICK, "--cache", "kept").out for _ in range(2)]
    assert tables[0] == tables[1]  # seconds included


def test_another_version_is_said(run):
    run("compare", "t.csv", "--target", "u", *FEATURES, *QUICK, "--save", "m.joblib")
    content = joblib.load("m.joblib")
    joblib.dump(content | {"versions": content["versions"] | {"mtlreg": "0.0.1"}}, "m.joblib")
    done = run("predict", "m.joblib", "t.csv")
    assert done.status == 0 and "mtlreg 0.0.1 (here" in done.err


def test_without_pandas(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    done = run("compare", "t.csv", "--target", "u")
    assert done.status == 2 and 'pip install "mtlreg[data]"' in done.err


def test_as_a_process(run, tmp_path):
    command = [sys.executable, "-m", "mtlreg", "compare"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--inner-folds" in done.stdout and "sparse_group" in done.stdout
