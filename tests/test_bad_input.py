"""One table of bad inputs: each gets an error of the right type that names the culprit."""

from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    Chain,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SparseGroup,
    Transposed,
)

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
N, P, T = 30, 4, 3
X = RNG.standard_normal((N, P))
Y = RNG.standard_normal((N, T))
BINARY = (Y > 0).astype(int)
TASK = np.arange(N) % 3
DATES = np.datetime64("2020-01-01") + np.arange(N)
LONG = np.column_stack([X, TASK])
TABLE = pd.DataFrame(X, columns=list("abcd")).assign(school=np.array(["n", "s", "w"])[TASK])
Regressor, Classifier = BlockSparseRegressor, BlockSparseClassifier


def changed(a, index, value):
    out = np.array(a, dtype=float)
    out[index] = value
    return out


def fit(estimator, X=X, y=Y, **kwargs):
    return lambda: estimator.fit(X, y, **kwargs)


def regress(X=X, y=Y, sample_weight=None, **parameters):
    return fit(Regressor(**{"alpha": 0.1, **parameters}), X, y, sample_weight=sample_weight)


def classify(X=X, y=BINARY, **parameters):
    return fit(Classifier(**parameters), X, y)


def penalised(penalty, loss="squared"):
    return fit(MultiTaskRegressor(penalty, loss=loss))


def predict(X_new, **parameters):
    task = parameters.get("task_feature")
    data = (X, Y) if task is None else ((TABLE if isinstance(task, str) else LONG), Y[:, 0])
    return lambda: Regressor(alpha=0.1, **parameters).fit(*data).predict(X_new)


SEPARATED = np.column_stack([np.where(BINARY[:, 0] == 1, 3.0, -3.0), X])

CASES = {
    # parameters of the estimators
    "alpha negative": (regress(alpha=-1), ValueError, "alpha"),
    "alpha nan": (regress(alpha=np.nan), ValueError, "alpha"),
    "alpha text": (regress(alpha="big"), TypeError, "alpha"),
    "alpha none": (regress(alpha=None), TypeError, "alpha"),
    "alpha bool": (regress(alpha=True), TypeError, "alpha"),
    "q below one": (regress(q=0.5), ValueError, r"q must be in \[1"),
    "q nan": (regress(q=np.nan), ValueError, "q must"),
    "entry_ratio above one": (regress(entry_ratio=1.5), ValueError, "entry_ratio"),
    "entry_ratio negative": (regress(entry_ratio=-0.1), ValueError, "entry_ratio"),
    "alpha_ridge negative": (regress(alpha_ridge=-1), ValueError, "alpha_ridge"),
    "positive not bool": (regress(positive=1), TypeError, "positive"),
    "positive without strength": (regress(alpha=0, positive=True), ValueError, "alpha_ridge > 0"),
    "tol negative": (regress(tol=-1e-6), ValueError, "tol"),
    "tol text": (regress(tol="tight"), TypeError, "tol"),
    "max_iter zero": (regress(max_iter=0), ValueError, "max_iter"),
    "max_iter float": (regress(max_iter=10.5), TypeError, "max_iter"),
    "loss unknown": (regress(loss="hinge"), ValueError, "'hinge'.*squared_hinge"),
    "loss number": (regress(loss=3), TypeError, "loss"),
    "solver unknown": (regress(solver="lars"), ValueError, "solver='lars'.*fista"),
    "solver cannot": (regress(loss="huber", solver="coordinate_descent"), ValueError, "squared loss"),
    "device without CuPy": (regress(device="cuda"), ValueError, r"device='cuda' needs CuPy.*mtlreg\[gpu\]"),
    "device unknown": (regress(device="tpu"), ValueError, "device"),
    "standardize text": (regress(standardize="yes"), ValueError, "standardize"),
    "fit_intercept text": (regress(fit_intercept="no"), ValueError, "fit_intercept"),
    "unseen_task": (regress(unseen_task="zero"), ValueError, "unseen_task"),
    "task_weight text": (regress(task_weight="equal"), ValueError, "task_weight.*balanced"),
    "task_weight length": (regress(task_weight=[1.0, 2.0]), ValueError, "task_weight has 2 entries for 3 tasks"),
    "task_weight negative": (regress(task_weight=[1.0, -1.0, 1.0]), ValueError, "task_weight"),
    "task_weight zero": (regress(task_weight=[1, 0, 1]), ValueError, "task_weight is 0 for task 1.*drop.*column of y"),
    "task_weight zero, column": (
        regress(TABLE, Y[:, 0], task_feature="school", task_weight={"n": 1, "s": 0, "w": 1}),
        ValueError,
        "task_weight is 0 for task 's'.*drop.*its rows",
    ),
    "task_weight dict lacks a task": (regress(task_weight={0: 1.0, 1: 1.0}), ValueError, "no entry for task 2"),
    "task_weight number": (regress(task_weight=2.0), TypeError, "task_weight"),
    "feature_weights length": (regress(feature_weights=np.ones(3)), ValueError, r"feature_weights has shape \(3,\)"),
    "feature_weights negative": (regress(feature_weights=[1, 1, -1, 1]), ValueError, r"feature_weights\[2\]"),
    "feature_weights nan": (regress(feature_weights=[1, np.nan, 1, 1]), ValueError, "feature_weights contains NaN"),
    "feature_weights text": (regress(feature_weights=list("abcd")), ValueError, "feature_weights must hold numbers"),
    "class_weight text": (classify(class_weight="even"), ValueError, "class_weight"),
    "class_weight negative": (classify(class_weight={1: -1.0}), ValueError, "class_weight"),
    "class_weight leaves one class": (
        classify(y=BINARY[:, 0], class_weight={0: 0}),
        ValueError,
        "Task 0 has only one class, 1 .*weight zero",
    ),
    "class_weight leaves one class, column": (
        classify(LONG, BINARY[:, 0], task_feature=-1, class_weight={1: 0}),
        ValueError,
        "Task 0 has only one class, 0 .*weight zero",
    ),
    "class_weight leaves no class": (
        classify(class_weight={0: 0, 1: 0}),
        ValueError,
        "Task 0 has no label with a positive weight: class_weight",
    ),
    "class_weight of no class": (
        classify(class_weight={1: 2.0, "1": 3.0}),
        ValueError,
        "class_weight has the key '1', which is the class of no label, and none for 0: the classes are 0, 1",
    ),
    "class_weight of no class, column": (
        classify(LONG, BINARY[:, 0], task_feature=-1, class_weight={2: 3.0}),
        ValueError,
        "class_weight has the key 2",
    ),
    "single_class": (classify(single_class="drop"), ValueError, "single_class"),
    "multi_class": (classify(multi_class="auto"), ValueError, "multi_class"),
    "alpha inf": (regress(alpha=np.inf), ValueError, r"alpha must be in \[0.0, inf\)"),
    "alpha array": (regress(alpha=np.array([0.1, 0.2])), TypeError, "alpha must be a number"),
    "alpha_ridge inf": (regress(alpha_ridge=np.inf), ValueError, "alpha_ridge"),
    "positive and unpenalised": (regress(positive=True, feature_weights=[0, 1, 1, 1]), ValueError, "feature_weights 0"),
    # X and y
    "X nan": (regress(X=changed(X, (3, 1), np.nan)), ValueError, "Input X contains NaN"),
    "X inf": (regress(X=changed(X, (3, 1), np.inf)), ValueError, "Input X contains infinity"),
    "X 1-D": (regress(X=X[:, 0]), ValueError, "Expected 2D array"),
    "X text": (regress(X=np.full((N, 2), "a")), ValueError, "could not convert|dtype='numeric'"),
    "X empty": (regress(X=np.empty((0, P)), y=np.empty((0, T))), ValueError, "0 sample"),
    "X complex": (regress(X=X * 1j), ValueError, "Complex data not supported"),
    "X masked": (regress(X=np.ma.masked_greater(X, 1)), ValueError, "Input X has masked values.*impute"),
    "X masked, column": (
        regress(np.ma.masked_greater(LONG, 1), Y[:, 0], task_feature=-1),
        ValueError,
        "Input X has masked values",
    ),
    "lengths": (regress(y=Y[:-1]), ValueError, "X has 30 rows, y 29"),
    "y none": (regress(y=None), ValueError, "requires y"),
    "y scalar": (regress(y=np.float64(3)), ValueError, "y should be a 1d array"),
    "y 3-D": (regress(y=np.zeros((N, T, 2))), ValueError, r"\(n_samples, n_tasks\)"),
    "y no columns": (regress(y=np.empty((N, 0))), ValueError, "y has no column"),
    "y inf": (regress(y=changed(Y, (4, 2), np.inf)), ValueError, "infinity.*row 4, column 2"),
    "y too large": (
        regress(X.astype(np.float32), changed(Y, (4, 2), 1e39)),
        ValueError,
        r"y .*too large for dtype\('float32'\) \(row 4, column 2\): give X as float64",
    ),
    "y too large, column": (
        regress(LONG.astype(np.float32), changed(Y[:, 0], 5, -1e39), task_feature=-1),
        ValueError,
        "y .*too large.*float64",
    ),
    "y complex": (regress(y=Y * 1j), ValueError, "Complex data not supported: y"),
    "y complex numbers": (regress(y=[1j] * N), ValueError, "Complex data not supported: y"),
    "y complex objects": (regress(y=(Y * 1j).astype(object)), ValueError, "y must hold numbers.*complex"),
    "y complex classes": (classify(y=BINARY * (1 + 0j)), ValueError, "Complex data not supported: y"),
    "y dates": (regress(y=DATES), ValueError, "y holds dates or durations.*timedelta64"),
    "y durations": (regress(y=DATES - DATES[0]), ValueError, "y holds dates or durations"),
    "y series of dates": (regress(y=pd.Series(DATES)), ValueError, "y holds dates or durations"),
    "y dates as objects": (regress(y=np.array([[d] for d in DATES], object)), ValueError, "y holds dates or durations"),
    "y all masked": (regress(y=np.ma.masked_all((N, T))), ValueError, "no label is observed"),
    "y masked column": (regress(y=np.ma.masked_where([[0, 1, 0]] * N, Y)), ValueError, "Task 1 .*no label"),
    "y text": (regress(y=np.full((N, T), "x")), ValueError, "y must hold numbers.*classifier"),
    "y all nan": (regress(y=np.full((N, T), np.nan)), ValueError, "no label is observed"),
    "y column nan": (regress(y=changed(Y, (slice(None), 1), np.nan)), ValueError, "Task 1 .*no label"),
    "y sparse": (regress(y=sparse.csr_array(Y)), TypeError, "sparse y"),
    # weights
    "weights of a task zero": (
        regress(sample_weight=np.ones((N, 3)) * [1, 0, 1]),
        ValueError,
        "Task 1 .* no label with a positive weight: drop the column",
    ),
    "weights of a task zero, column": (
        regress(TABLE, Y[:, 0], (TASK != 1).astype(float), task_feature="school"),
        ValueError,
        "Task 's' has no observed label with a positive weight: drop its rows",
    ),
    "weights negative": (regress(sample_weight=-np.ones(N)), ValueError, "negative value .row 0"),
    "weights nan": (regress(sample_weight=np.full(N, np.nan)), ValueError, "sample_weight contains NaN"),
    "weights zero": (regress(sample_weight=np.zeros(N)), ValueError, "non-zero"),
    "weights length": (regress(sample_weight=np.ones(N - 1)), ValueError, "sample_weight.shape"),
    "weights shape": (regress(sample_weight=np.ones((N, 2))), ValueError, r"\(30,\) or \(30, 3\)"),
    "weights masked": (regress(sample_weight=np.ma.masked_all(N)), ValueError, "sample_weight has masked values"),
    "weights complex": (regress(sample_weight=np.full(N, 1j)), ValueError, "sample_weight must hold numbers"),
    "weights text": (regress(sample_weight=["heavy"] * N), ValueError, "sample_weight must hold numbers"),
    # the task column
    "task name unknown": (regress(TABLE, Y[:, 0], task_feature="schol"), ValueError, "'schol'.*mean 'school'"),
    "task name on array": (regress(LONG, Y[:, 0], task_feature="school"), ValueError, "set_output"),
    "task renamed": (
        regress(TABLE.rename(columns={"school": "remainder__school"}), Y[:, 0], task_feature="school"),
        ValueError,
        "verbose_feature_names_out=False",
    ),
    "task position": (regress(LONG, Y[:, 0], task_feature=9), ValueError, "task_feature=9 is out of range"),
    "task bool": (regress(LONG, Y[:, 0], task_feature=True), TypeError, "task_feature=True"),
    "task float": (regress(LONG, Y[:, 0], task_feature=1.5), TypeError, "task_feature"),
    "task nan": (regress(changed(LONG, (2, -1), np.nan), Y[:, 0], task_feature=-1), ValueError, "missing.*row 2"),
    "task with 2-D y": (regress(LONG, Y, task_feature=-1), ValueError, "must be 1-D"),
    "task without label": (
        regress(LONG, np.where(TASK == 1, np.nan, Y[:, 0]), task_feature=-1),
        ValueError,
        "Task 1 has no observed label",
    ),
    "task weights 2-D": (
        regress(LONG, Y[:, 0], task_feature=-1, sample_weight=np.ones((N, 3))),
        ValueError,
        "[sS]ample.weight",
    ),
    # labels and losses
    "poisson negative": (regress(y=-np.abs(Y), loss="poisson"), ValueError, "y >= 0 in task 0"),
    "poisson zeros": (regress(y=changed(np.abs(Y), (slice(None), 1), 0), loss="poisson"), ValueError, "Task 1 .*zero"),
    "binary loss other labels": (regress(y=2.0 * BINARY - 1, loss="logistic"), ValueError, "0 and 1 in task 0"),
    "softmax in a regressor": (regress(y=BINARY, loss="softmax"), ValueError, "for classifiers"),
    "squared in a classifier": (classify(loss="squared"), ValueError, "not for classification"),
    "continuous classes": (classify(y=Y), ValueError, "Unknown label type: continuous"),
    "continuous classes as objects": (
        classify(y=pd.DataFrame({"kind": np.array(["a", "b"])[BINARY[:, 0]], "size": Y[:, 1]})),
        ValueError,
        "continuous. Task 'size'",
    ),
    "classes of two types": (
        classify(y=np.array([0, "a"], object)[BINARY[:, 0]]),
        TypeError,
        "y of task 0 has labels that cannot be sorted",
    ),
    "tasks of two types": (
        classify(LONG, np.where(TASK == 1, np.array(["a", "b"], object)[BINARY[:, 0]], BINARY[:, 0]), task_feature=-1),
        TypeError,
        "y has labels that cannot be sorted",
    ),
    "one class": (classify(y=np.column_stack([BINARY[:, 0], np.ones(N)])), ValueError, "Task 1 has only one class"),
    "separable": (
        classify(SEPARATED, BINARY[:, 0], feature_weights=[0, 1, 1, 1, 1]),
        ValueError,
        "Task 0 has no minimum.*separated",
    ),
    "loss list length": (regress(loss=["squared"] * 2), ValueError, "loss has 2 entries for 3 tasks"),
    "loss dict lacks a task": (regress(loss={0: "squared", 1: "huber"}), ValueError, "loss has no entry for task 2"),
    # penalties
    "penalty class": (penalised(L21), TypeError, "give a Penalty"),
    "penalty text": (penalised("l21"), TypeError, "give a Penalty"),
    "penalty in a classifier": (fit(MultiTaskClassifier("l1"), X, BINARY), TypeError, "give a Penalty"),
    "penalty alpha": (penalised(L21(-1)), ValueError, r"L21\(alpha=-1\)"),
    "penalty q": (penalised(L1Lq(0.1, q=0)), ValueError, "q"),
    "penalty ratio": (penalised(SparseGroup(0.1, entry_ratio=2)), ValueError, "entry_ratio"),
    "split of one": (penalised(InfimalConvolution([("a", L1(1.0))])), ValueError, "at least two"),
    "split names": (penalised(InfimalConvolution([("a", L1(1.0)), ("a", L21(1.0))])), ValueError, "distinct"),
    "split of none": (penalised(InfimalConvolution([("a", L1(1.0)), ("b", L21(0.0))])), ValueError, "alpha=0"),
    "split of texts": (penalised(InfimalConvolution([("a", L1(1.0)), ("b", "l1")])), TypeError, "not a Penalty"),
    "chain of equals": (penalised(Chain([L21(1.0), L1Linf(1.0)])), ValueError, "do not compose"),
    "chain with ridge": (penalised(Chain([L1(1.0), L21(1.0, alpha_ridge=1.0)])), ValueError, "ridge"),
    "chain of transposed": (penalised(Chain([Transposed(L21(1.0))])), TypeError, "no place in a chain"),
    "transposed of compound": (
        penalised(Transposed(InfimalConvolution([("a", L1()), ("b", L21())]))),
        TypeError,
        "plain Penalty",
    ),
    # path and predict
    "path of zero": (lambda: Regressor().path(X, Y, [0.1, 0.0]), ValueError, "alphas must be > 0"),
    "path negative": (lambda: Regressor().path(X, Y, [-1.0]), ValueError, "alphas"),
    "path of none": (lambda: Regressor().path(X, Y, 0), ValueError, "alphas"),
    "path eps": (lambda: Regressor().path(X, Y, 5, eps=2.0), ValueError, "eps"),
    "predict features": (predict(X[:, :2]), ValueError, "2 features.*expecting 4"),
    "predict names": (predict(TABLE.rename(columns={"a": "z"}), task_feature="school"), ValueError, "feature names"),
    "predict unseen": (predict(changed(LONG, (0, -1), 7), task_feature=-1), ValueError, r"not seen in fit: \[7\]"),
    "predict nan": (predict(changed(X, (0, 0), np.nan)), ValueError, "Input X contains NaN"),
    "unknown parameter": (lambda: Regressor(lam=1.0), TypeError, "lam"),
}


if find_spec("cupy"):
    del CASES["device without CuPy"]


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case):
    call, error, message = CASES[case]
    with pytest.raises(error, match=message):
        call()


def test_the_table_is_long():
    assert len(CASES) >= 80


def test_predict_before_fit():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        Regressor().predict(X)
