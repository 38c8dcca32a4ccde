"""The commands that read CSV files: what they print and write, and what they refuse."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest

from mtlreg.__main__ import main
from mtlreg.cli import _compare, _features
from mtlreg.cli._model import SavedModel
from mtlreg.compare import compare

pd = pytest.importorskip("pandas")

# the oldest matplotlib with a new pyparsing
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated - use:DeprecationWarning")

QUICK = ["--folds", "2", "--inner-folds", "2", "--alphas", "2", "--families", "l21", "--quiet"]
N = 48


def make_table():
    """Columns of every kind; u, v are numbers, yes and hit classes; labels are missing."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((N, 3)), columns=["a", "b", "c"])
    table["color"] = rng.choice(["red", "green", "blue"], N)
    table["flag"] = rng.random(N) < 0.5
    table["school"] = np.tile(["01", "2", "x"], N // 3)
    eta = table["a"] + 0.5 * table["b"] + (table["color"] == "red")
    table["u"] = (eta + 0.1 * rng.standard_normal(N)).mask(rng.random(N) < 0.15)
    table["v"] = table["c"] - eta + 0.1 * rng.standard_normal(N)
    noisy = eta + 0.3 * rng.standard_normal(N)
    table["yes"] = pd.Series(np.where(noisy > 0.3, "yes", "no"), dtype=object).mask(rng.random(N) < 0.1)
    table["hit"] = (noisy > 0).astype(int).astype(object).mask(rng.random(N) < 0.1)
    table["true"] = noisy > 0.1
    table["rank"] = np.digitize(noisy, [-0.3, 0.8]) + 1
    return table


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, table):
    """Run a command in a folder with ``t.csv``; the status and what was printed."""
    monkeypatch.chdir(tmp_path)
    table.to_csv("t.csv", index=False)

    def command(*argv):
        try:
            status = main([str(a) for a in argv])
        except SystemExit as error:  # argparse
            status = error.code
        printed = capsys.readouterr()
        return SimpleNamespace(status=status, out=printed.out, err=printed.err)

    return command


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


# -- what is refused --

WRITTEN = {
    "empty.csv": "",
    "header.csv": "a,u\n",
    "twice.csv": "a,a,u\n1,2,3\n",
    "semicolon.csv": "a;u\n1;2\n",
    "ragged.csv": "a,u\n1,2\n1,2,3\n",
    "long.csv": "a,u\n1,2,3\n1,2,4\n",
    "latin.csv": b"a,u\n\xe9,2\n",
    "few.csv": "a,u\n1,2\n2,3\n",
    "dates.csv": "a,day,u\n" + "".join(f"{k},2024-01-{k + 1:02d},{k * k}\n" for k in range(20)),
    "levels.csv": "a,id,u\n" + "".join(f"{k},n{k},{k * k}\n" for k in range(60)),
    "odd.csv": "a,u\n" + "".join(f"{k if k != 7 else '?'},{k * k}\n" for k in range(60)),
    "inf.csv": "a,u\n1,2\ninf,3\n2,4\n",
    "hollow.csv": "a,b,u\n" + ",1,2\n,2,3\n,5,1\n",
    "same.csv": "a,a2,u,w,t\n" + "".join(f"{k},{k * k},1,,{'' if k == 4 else 'x'}\n" for k in range(9)),
    "not.joblib": "no model",
}

COMPARE_BAD = [
    ("none.csv --target u", "none.csv is not there"),
    (". --target u", ". is a folder"),
    ("empty.csv --target u", "empty.csv is empty"),
    ("header.csv --target u", "has no rows below its header"),
    ("twice.csv --target u", "more than one column 'a'"),
    ("semicolon.csv --target u", "separated by ';'"),
    ("ragged.csv --target u", "Expected 2 fields in line 3, saw 3"),
    ("long.csv --target u", "more cells than its header"),
    ("latin.csv --target u", "cannot be read as a CSV file in UTF-8"),
    ("few.csv --target u --folds 3", "2 rows with a label, fewer than --folds 3"),
    ("dates.csv --target u", "'day' holds dates or times, such as '2024-01-01': turn it into numbers"),
    ("levels.csv --target u", "'id' is text with 60 levels (at most 50): group them, or leave it out with --exclude"),
    ("odd.csv --target u", "'a' is text because of cells such as '?' in row 8"),
    ("inf.csv --target u --folds 2", "'a' holds an infinite value in row 2"),
    ("hollow.csv --target u --folds 2", "'a' holds no value at all: leave it out with --exclude a"),
    ("same.csv --target u", "Target 'u' is constant (1)"),
    ("same.csv --target w", "Target 'w' has no label"),
    ("same.csv --target a --task t --features a2", "task column 't' is empty in 1 rows, the first is row 5"),
    ("levels.csv --target id", "Target 'id' has 60 classes in 60 labels"),
    ("t.csv --target U", "--target: t.csv has no column 'U'; did you mean 'u'?"),
    ("t.csv --target u,u", "--target names column 'u' twice"),
    ("t.csv --target ,", "--target names no column"),
    ("t.csv --target u --task schol", "--task: t.csv has no column 'schol'; did you mean 'school'?"),
    ("t.csv --target u --exclude colour", "--exclude: t.csv has no column 'colour'; did you mean 'color'?"),
    ("t.csv --target u --features a,q9", "--features: t.csv has no column 'q9'; there are 'a', 'b'"),
    ("t.csv --target u --task u", "'u' is both --task and --target"),
    ("t.csv --target u --features a,u", "'u' is in --features and is a target"),
    ("few.csv --target u --exclude a --folds 2", "no column left that is a feature"),
    ("t.csv --target u,yes --features a", "different kinds: 'u' numbers, 'yes' classes; compare them in two runs."),
    ("t.csv --target u,hit --features a", "--kind regression"),
    ("t.csv --target yes --features a --kind regression", "'yes' holds text, such as"),
    ("t.csv --target u --features a --kind number", "invalid choice: 'number'"),
    ("t.csv --target u --families l22", "--families: there is no 'l22'; did you mean 'l21'?"),
    ("t.csv --target u --families l21,l21", "--families names 'l21' twice"),
    ("t.csv --target u --metric acuracy", "--metric: there is no 'acuracy'; did you mean 'accuracy'?"),
    ("t.csv --target u --features a --metric accuracy", "--metric accuracy is not for regression"),
    ("t.csv --target u --metric rmse", "--metric: there is no 'rmse'"),
    ("t.csv --target u --folds 1", "--folds 1 must be at least 2"),
    ("t.csv --target u --alphas 0", "--alphas 0 must be at least 1"),
    ("t.csv --target u --jobs 0", "--jobs 0: give the number of processes"),
    ("t.csv --target u --save no/m.joblib", "--save no/m.joblib: there is no folder 'no'"),
    ("t.csv --target u --json folder", "--json folder is a folder"),
    ("t.csv --target u --json t.csv", "--json t.csv is what is read"),
    ("t.csv --target u --json x.png --plot x.png", "--plot x.png is written by --json"),
    ("t.csv --target u --plot x.bmp9", "--plot x.bmp9: give a name that ends in one of"),
    ("t.csv --target u --features a --cache t.csv", "cache='t.csv' cannot be written"),
    ("t.csv --features a", "the following arguments are required: --target"),
]

PREDICT_BAD = [
    ("none.joblib t.csv", "none.joblib: there is no such file"),
    ("not.joblib t.csv", "not.joblib is not a model that 'compare --save' has written"),
    ("t.csv t.csv", "t.csv is not a model"),
    ("dict.joblib t.csv", "dict.joblib is not a model that 'compare --save' has written, but a dict"),
    ("old.joblib t.csv", "old.joblib has another format than mtlreg"),
    ("m.joblib none.csv", "none.csv is not there"),
    ("m.joblib few.csv", "few.csv lacks columns that the model needs: 'b', 'school'; for 'b': there are 'a', 'u'"),
    ("m.joblib unseen.csv", "'school' has tasks that were not there in training: 'y', 'z'"),
    ("m.joblib text.csv", "'a' held numbers in training, and 'low' here in row 2"),
    ("m.joblib gap.csv", "Features have empty cells: 'a' (1). Fill them in, train the model with --impute median"),
    ("m.joblib t.csv --out no/p.csv", "--out no/p.csv: there is no folder 'no'"),
    ("m.joblib t.csv --out m.joblib", "--out m.joblib is what is read"),
]


def bad_inputs(folder):
    for name, text in WRITTEN.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "folder").mkdir()


def assert_refused(run, folder, command, options, message):
    before = sorted(folder.rglob("*"))
    done = run(command, *options.split())
    assert done.status == 2
    assert message in done.err, done.err
    last = done.err.splitlines()[-1]
    assert last.startswith(f"python -m mtlreg {command}: error: ") and done.out == ""
    assert done.err.count("\n") == 1 or "usage" in done.err  # argparse's own
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("options, message", COMPARE_BAD, ids=[options for options, _ in COMPARE_BAD])
def test_compare_refuses(run, tmp_path, options, message):
    bad_inputs(tmp_path)
    assert_refused(run, tmp_path, "compare", options, message)


@pytest.fixture(scope="module")
def model():
    """A saved model of the columns a, b and the task column school."""
    from mtlreg import BlockSparseRegressor

    table = make_table()
    X = table[["a", "b", "school"]].assign(school=table["school"].to_numpy(dtype=object))
    estimator = BlockSparseRegressor(0.1, task_feature="school").fit(X, table["v"].to_numpy())
    kept = _features.Features(["a", "b"], [])
    tasks = ["01", "2", "x"]
    return SavedModel(estimator, "l21", "regression", kept, ["v"], "school", tasks, {}, SavedModel.versions_here())


@pytest.mark.parametrize("options, message", PREDICT_BAD, ids=[options for options, _ in PREDICT_BAD])
def test_predict_refuses(run, tmp_path, table, model, options, message):
    bad_inputs(tmp_path)
    model.save("m.joblib")
    joblib.dump({"a": 1}, "dict.joblib")
    joblib.dump({"mtlreg_model": 0}, "old.joblib")
    table.assign(school=["x", "y", "z"] * (N // 3)).to_csv("unseen.csv", index=False)
    table.assign(a=["1", "low"] * (N // 2)).to_csv("text.csv", index=False)
    table.assign(a=[None, *table["a"][1:]]).to_csv("gap.csv", index=False)
    assert_refused(run, tmp_path, "predict", options, message)
