"""The commands that read CSV files: what they refuse."""

import joblib
import pytest
from cli_table import N, make_table

from mtlreg.cli import _features
from mtlreg.cli._model import SavedModel

pytest.importorskip("pandas")

# the oldest matplotlib with a new pyparsing
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated - use:DeprecationWarning")

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
    ("t.csv --target u --features a --cache t.csv", "--cache t.csv cannot be written"),
    ("t.csv --target u --features a --families ,", "--families names no family"),
    (
        "t.csv --target u --task school --features a --families temporal",
        "--families has 'temporal', which needs tasks in an order: numbers, or several targets without --task.",
    ),
    ("t.csv --target u --task school --features a --folds 20", "fewer than --folds 20 labels"),
    (
        "t.csv --target u --task school --features a --folds 2 --inner-folds 10 --families l21",
        "fewer than --inner-folds 10 labels (or the only one of a class): give a smaller --inner-folds.",
    ),
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
