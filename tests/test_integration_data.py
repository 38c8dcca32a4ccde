"""What X and y may be: data frames and their dtypes, memory maps, names, rows seen at predict."""

import tracemalloc

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from mtlreg import BlockSparseClassifier, BlockSparseRegressor, MultiTaskClassifier, MultiTaskRegressor, melt
from mtlreg.penalties import L21

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

N, T = 60, 3
RNG = np.random.default_rng(1)
X = RNG.standard_normal((N, 4))
Y = X[:, :2] @ RNG.standard_normal((2, T)) + [0.0, 1.0, -1.0] + 0.1 * RNG.standard_normal((N, T))
HOLES = np.where(RNG.random((N, T)) < 0.3, np.nan, Y)
TASK = RNG.permutation(N) % T
y = Y[np.arange(N), TASK]
NAMES = list("abcd")
CITIES = np.array(["Bern", "Lima", "Oslo"], dtype=object)

REFERENCE = BlockSparseRegressor(0.05, task_feature=-1).fit(np.column_stack([X, TASK]), y)

TASK_COLUMNS = {
    "strings": (pd.Series(CITIES[TASK]), CITIES),
    "objects": (pd.Series(CITIES[TASK], dtype=object), CITIES),
    "integers": (pd.Series(TASK + 10), [10, 11, 12]),
    "floats": (pd.Series(TASK + 10.0), [10, 11, 12]),
    "booleans": (pd.Series(TASK > 0), [False, True]),
    "categories": (pd.Series(CITIES[TASK]).astype("category"), CITIES),
    "unused categories": (pd.Series(pd.Categorical(CITIES[TASK], ["Rome", *CITIES[::-1]])), CITIES),
    "nullable integers": (pd.Series(TASK + 10, dtype="Int64"), [10, 11, 12]),
    "polars strings": (pl.Series(CITIES[TASK].tolist()), CITIES),
    "polars integers": (pl.Series(TASK + 10), [10, 11, 12]),
    "polars categories": (pl.Series(CITIES[TASK].tolist(), dtype=pl.Categorical), CITIES),
}


def table(column):
    library = pl if isinstance(column, pl.Series) else pd
    frame = library.DataFrame(dict(zip(NAMES, X.T, strict=True)))
    return frame.with_columns(city=column) if library is pl else frame.assign(city=column)


@pytest.mark.parametrize("kind", TASK_COLUMNS)
def test_types_of_task_columns(kind):
    column, labels = TASK_COLUMNS[kind]
    model = BlockSparseRegressor(0.05, task_feature="city").fit(table(column), y)
    assert model.tasks_.tolist() == list(labels)
    assert [task for task, _ in model.columns_] == list(labels)
    if hasattr(StandardScaler().fit(table(column)[NAMES]), "feature_names_in_"):  # not with old ones
        assert model.feature_names_in_.tolist() == [*NAMES, "city"]
    assert model.task_position_ == 4
    if len(labels) == T:
        assert_array_equal(model.coef_, REFERENCE.coef_)
        assert_array_equal(model.predict(table(column)), REFERENCE.predict(np.column_stack([X, TASK])))


@pytest.mark.parametrize("position", [0, 2, 4])
def test_the_task_column_may_stand_anywhere(position):
    inside = np.insert(X, position, TASK, axis=1)
    for given in (position, position - 5):
        model = BlockSparseRegressor(0.05, task_feature=given).fit(inside, y)
        assert_array_equal(model.coef_, REFERENCE.coef_)
        assert model.task_position_ == position


def labels_as(kind):
    frame = pd.DataFrame(HOLES, columns=CITIES)
    return {
        "frame": frame,
        "nullable floats": frame.astype("Float64"),
        "object None": np.where(np.isnan(HOLES), None, HOLES),
        "object pd.NA": frame.astype(object).where(frame.notna(), pd.NA),
        "lists": HOLES.tolist(),
        "polars": pl.DataFrame(HOLES, schema=CITIES.tolist()),
        "polars nulls": pl.DataFrame(HOLES, schema=CITIES.tolist()).fill_nan(None),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["frame", "nullable floats", "object None", "object pd.NA", "lists", "polars", "polars nulls"],
)
def test_missing_labels_in_every_container(kind):
    model, given = BlockSparseRegressor(0.05), labels_as(kind)
    expected = BlockSparseRegressor(0.05).fit(X, HOLES)
    model.fit(X, given)
    assert_array_equal(model.coef_, expected.coef_)
    named = hasattr(given, "columns")
    assert model.tasks_.tolist() == (CITIES.tolist() if named else [0, 1, 2])
    assert model.score(X, given) == expected.score(X, HOLES)


def test_missing_integers_and_classes():
    classes = (Y > 0).astype(int)
    holes = pd.DataFrame(classes, dtype="Int64").mask(np.isnan(HOLES))
    expected = BlockSparseClassifier().fit(X, np.where(np.isnan(HOLES), np.nan, classes))
    model = BlockSparseClassifier().fit(X, holes)
    assert_array_equal(model.coef_, expected.coef_)
    assert [c.tolist() for c in model.classes_] == [[0, 1]] * T
    assert model.predict(X).dtype.kind == "i"


def test_missing_labels_of_a_task_column_are_rows_left_out():
    holes = pd.Series(y, dtype="Float64")
    holes[::5] = pd.NA
    kept = np.arange(N) % 5 != 0
    given = table(TASK_COLUMNS["strings"][0])
    model = BlockSparseRegressor(0.05, task_feature="city").fit(given, holes)
    expected = BlockSparseRegressor(0.05, task_feature="city").fit(given[kept], y[kept])
    assert_array_equal(model.coef_, expected.coef_)


def test_melted_labels_give_the_same_model():
    long, labels = melt(pd.DataFrame(X, columns=NAMES), pd.DataFrame(HOLES, columns=CITIES), task_name="city")
    stacked = BlockSparseRegressor(0.05, task_feature="city", tol=1e-10).fit(long, labels)
    shared = BlockSparseRegressor(0.05, tol=1e-10).fit(X, HOLES)
    assert_allclose(stacked.coef_, shared.coef_, rtol=1e-4, atol=1e-6)
    assert stacked.tasks_.tolist() == CITIES.tolist()


@pytest.mark.parametrize("index", [np.arange(N)[::-1], [f"row {i}" for i in range(N)], np.zeros(N)], ids=len)
def test_the_index_of_a_frame_is_ignored(index):
    frame = table(TASK_COLUMNS["strings"][0]).set_index(pd.Index(index))
    model = BlockSparseRegressor(0.05, task_feature="city")
    model.fit(frame, pd.Series(y), sample_weight=pd.Series(np.ones(N)))
    assert_array_equal(model.coef_, REFERENCE.coef_)


@pytest.mark.parametrize("door", ["shared", "column"])
def test_coef_frame(door):
    if door == "shared":
        model = BlockSparseRegressor(0.05)
        model.fit(pd.DataFrame(X, columns=NAMES), pd.DataFrame(Y, columns=CITIES))
    else:
        model = BlockSparseRegressor(0.05, task_feature="city").fit(table(TASK_COLUMNS["strings"][0]), y)
    frame = model.coef_frame()
    assert frame.index.tolist() == CITIES.tolist() and frame.index.name == "task"
    assert frame.columns.tolist() == NAMES
    assert_array_equal(frame.to_numpy(), model.coef_)


def test_coef_frame_of_classes_and_without_names():
    labels = np.digitize(Y[:, :2], [-0.5, 0.5])
    labels[:, 1] = labels[:, 1] > 1
    frame = BlockSparseClassifier().fit(X, labels).coef_frame()
    assert frame.index.tolist() == [(0, 0), (0, 1), (0, 2), (1, 1)]
    assert frame.index.names == ["task", "class"]
    assert frame.columns.tolist() == ["x0", "x1", "x2", "x3"]
    assert REFERENCE.coef_frame().columns.tolist() == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
@pytest.mark.parametrize("column", [False, True])
def test_sparse_rows(container, column):
    thin = np.where(np.abs(X) > 1, X, 0)
    data = (np.column_stack([thin, TASK]), y) if column else (thin, HOLES)
    model = BlockSparseRegressor(0.05, task_feature=-1 if column else None)
    expected = model.fit(*data).coef_.copy()
    model.fit(container(data[0]), data[1])
    assert_allclose(model.coef_, expected, atol=1e-4)
    assert_allclose(model.predict(container(data[0])), model.predict(data[0]), atol=1e-10)


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("regress", [True, False])
def test_float32_is_kept(column, regress):
    long, shared = np.column_stack([X, TASK]).astype(np.float32), X.astype(np.float32)
    data = (long, y) if column else (shared, Y)
    cls = BlockSparseRegressor if regress else BlockSparseClassifier
    model = cls(0.05, task_feature=-1 if column else None)
    model.fit(data[0], data[1] if regress else data[1] > 0)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict(data[0]).dtype == (np.float32 if regress else bool)


# rows at predict


def test_one_row():
    row = table(TASK_COLUMNS["strings"][0]).iloc[[7]]
    model = BlockSparseRegressor(0.05, task_feature="city").fit(table(TASK_COLUMNS["strings"][0]), y)
    assert_allclose(model.predict(row), REFERENCE.predict(np.column_stack([X, TASK]))[[7]])
    assert BlockSparseRegressor(0.05).fit(X, Y).predict(X[:1]).shape == (1, T)
    assert BlockSparseRegressor(0.05).fit(X, Y[:, 0]).predict(X[:1]).shape == (1,)


def test_rows_of_one_task_in_any_order():
    long = np.column_stack([X, TASK])
    rows = RNG.permutation(np.flatnonzero(TASK == 1))
    assert_array_equal(REFERENCE.predict(long[rows]), REFERENCE.predict(long)[rows])


def test_unseen_tasks():
    new = np.column_stack([X[:3], [1, 7, 7]])
    with pytest.raises(ValueError, match=r"not seen in fit: \[7\].*unseen_task='mean'"):
        REFERENCE.predict(new)
    model = BlockSparseRegressor(0.05, task_feature=-1, unseen_task="mean").fit(np.column_stack([X, TASK]), y)
    expected = X[1:3] @ model.coef_.mean(axis=0) + model.intercept_.mean()
    assert_allclose(model.predict(new)[1:], expected)
    assert model.predict(new)[0] == REFERENCE.predict(new[:1])[0]


def test_an_unseen_task_of_counts_goes_through_the_link():
    counts = np.random.default_rng(0).poisson(np.exp(0.5 * X[:, 0]))
    model = BlockSparseRegressor(0.05, task_feature=-1, loss="poisson", unseen_task="mean")
    model.fit(np.column_stack([X, TASK]), counts)
    eta = X[:2] @ model.coef_.mean(axis=0) + model.intercept_.mean()
    assert_allclose(model.predict(np.column_stack([X[:2], [9, 9]])), np.exp(eta))


def test_an_unseen_task_needs_alike_tasks():
    losses = {0: "squared", 1: "logistic", 2: "squared"}
    labels = np.where(TASK == 1, y > 0, y)
    model = MultiTaskRegressor(L21(0.05), loss=losses, task_feature=-1, unseen_task="mean")
    model.fit(np.column_stack([X, TASK]), labels)
    with pytest.raises(ValueError, match="unseen_task='mean' needs the same loss"):
        model.predict([[0.0, 0.0, 0.0, 0.0, 5.0]])


# memory


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A read-only memory map whose last column is the task, sorted; only two features matter."""
    n, p = 20_000, 150
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.standard_normal((n, p)), np.arange(n) * T // n])
    labels = rows[:, :2] @ rng.standard_normal((2, T)) + rng.standard_normal((n, T))
    path = str(tmp_path_factory.mktemp("map") / "rows.joblib")
    joblib.dump(rows, path)
    return joblib.load(path, mmap_mode="r"), labels


@pytest.mark.parametrize("cls", [BlockSparseRegressor, BlockSparseClassifier, MultiTaskClassifier])
@pytest.mark.parametrize("column", [False, True])
def test_a_read_only_memory_map_is_read_in_place(mapped, cls, column):
    rows, labels = mapped
    assert isinstance(rows, np.memmap) and not rows.flags.writeable
    labels = labels if cls is BlockSparseRegressor else labels > 0
    data = (rows, labels[:, 0]) if column else (rows[:, :-1], labels)
    strong = {"alpha": 0.15} if cls is not MultiTaskClassifier else {"penalty": L21(0.15)}
    model = cls(task_feature=-1 if column else None, **strong)
    model.fit(data[0][::20], data[1][::20])  # compiles the kernels
    tracemalloc.start()
    try:
        model.fit(*data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < np.count_nonzero(model.coef_.any(axis=0)) < 15
    # of 24 MB; what is allocated is for labels, chunks of rows and the few features in use
    assert peak < 0.5 * rows.nbytes
