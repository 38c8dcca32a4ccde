"""docs/guide/coming_from.rst against MALSAR: the page's expressions make models with the optima of its objectives.

The objectives are written down here a second time, in MALSAR's own arguments. Certified optima are with the data
(MTLREG_DATA), of which there may be none.
"""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from reference_penalties import box_square
from test_coming_from import PAGE

import mtlreg
from mtlreg import stack_tasks
from mtlreg.losses import Calibrated

FOLDER = Path(os.environ.get("MTLREG_DATA", "nowhere")) / "malsar"
FLOOR = 1e-6  # sigma_min of calibrated models
CASES = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.is_dir() else []


# -- the page --


def read_page():
    """``{function: (model, penalty, factor)}``, expressions all of them; and the page's table of excesses."""
    text = PAGE.read_text().split("\nMALSAR\n------")[1]
    found = {}
    for caption, table in re.findall(r"^\.\. list-table::(.*)\n((?:(?: .*)?\n)*)", text, flags=re.M):
        rows = [re.sub(r"\s+", " ", row) for row in re.split(r"^   \* - ", table, flags=re.M)[2:]]
        for function, *cells in (row.strip().split(" - ") for row in rows):
            model = re.findall("``(.+)``", caption)
            found.setdefault("excess" if not model else "models", {})[function.strip(" `")] = [
                *model,
                *(cell.strip(" `") for cell in cells),
            ]
    return found["models"], found["excess"]


MODELS, EXCESS = read_page()


def edges(R):
    """What the page has for SRMTL, from its own code."""
    code = re.search(r"^   def edges\(R\):\n(?:       .*\n)+", PAGE.read_text(), flags=re.M)[0]
    names = {"np": np}
    exec("if True:\n" + code, names)
    return names["edges"](R)


def fit(function, Xs, ys, arguments):
    """The page's model, fitted; and the factor to MALSAR's objective."""
    model, penalty, factor = MODELS[function]
    names = vars(mtlreg) | {"edges": edges, "rho_L2": 0.0, "n_bar": sum(map(len, ys)) / len(ys)} | arguments
    estimator = eval(model, names | {"penalty": eval(penalty, names)})
    estimator.set_params(task_feature=-1, tol=1e-10, max_iter=100_000)
    X, y = stack_tasks(Xs, ys)
    if function.startswith("MTFLC"):  # down to a floor that no longer counts
        estimator.set_params(warm_start=True)
        for sigma_min in np.geomspace(1e-2, FLOOR, 9):
            estimator.set_params(loss=Calibrated(sigma_min)).fit(X, y)
    return estimator.fit(X, y), eval(factor, names)


def floor_of(function, ys):
    """The most that mtlreg's objective is above MALSAR's, which has roots down to zero."""
    return FLOOR * sum(np.linalg.norm(y) for y in ys) / 2 if function.startswith("MTFLC") else 0.0


# -- MALSAR's objectives --


def squares(Xs, ys, W, b):
    assert not np.any(b)
    return np.array([np.sum((y - X @ w) ** 2) for X, y, w in zip(Xs, ys, W.T, strict=True)])


def logistic(Xs, ys, W, b):
    return np.array(
        [np.mean(np.logaddexp(0, -y * (X @ w + c))) for X, y, w, c in zip(Xs, ys, W.T, np.ravel(b), strict=True)]
    )


def loss(function, *at):
    if function.startswith("Logistic"):
        return logistic(*at).sum()
    if function.startswith("MTFLC"):
        return np.sqrt(squares(*at)).sum()
    whole = function.removeprefix("Least_") in ("Dirty", "RMTL", "rMTFL", "SparseTrace")
    return squares(*at).sum() * (1 if whole else 0.5)


def l1(W):
    return np.abs(W).sum()


def l21(W):
    return np.linalg.norm(W, axis=1).sum()


def l1inf(W):
    return np.abs(W).max(axis=1).sum()


def trace(W):
    return np.linalg.norm(W, "nuc")


def jumps(W):
    """Of every row."""
    return np.abs(np.diff(W, axis=1)).sum(axis=1)


def clusters(W, rho1, rho2, k):
    eta = rho2 / rho1
    return rho1 * eta * (1 + eta) * box_square(np.linalg.svd(W, compute_uv=False), k, eta)


def calibrated(W, lambda1, lambda2):
    return lambda1 * l21(W) + lambda2 / 2 * np.sum(W**2)


OMEGAS = {
    "Lasso": lambda W, rho1, rho_L2=0: rho1 * l1(W) + rho_L2 * np.sum(W**2),
    "L21": lambda W, rho1, rho_L2=0: rho1 * l21(W) + rho_L2 * np.sum(W**2),
    "Trace": lambda W, rho1, rho_L2=0: rho1 * trace(W) + rho_L2 * np.sum(W**2),
    "Dirty": lambda P, Q, rho1, rho2: rho1 * l1inf(P) + rho2 * l1(Q),
    "rMTFL": lambda P, Q, rho1, rho2: rho1 * l21(P) + rho2 * l21(Q.T),
    "RMTL": lambda L, S, rho1, rho2: rho1 * trace(L) + rho2 * l21(S.T),
    "SparseTrace": lambda P, Q, gamma, tau: gamma * l1(P) if trace(Q) <= tau * (1 + 1e-12) else np.inf,
    "CMTL": clusters,
    "CASO": clusters,
    "SRMTL": lambda W, R, rho1, rho2, rho_L2=0: rho1 * np.sum((W @ R) ** 2) + rho2 * l1(W) + rho_L2 * np.sum(W**2),
    "TGL": lambda W, rho1, rho2, rho3: rho1 * np.sum(W**2) + rho2 * np.sum(np.diff(W, axis=1) ** 2) + rho3 * l21(W),
    "FGLasso": lambda W, rho1, rho2: rho1 * l1(W) + rho2 * jumps(W).sum(),
    "CFGLasso": lambda W, rho1, rho2, rho3: rho1 * l1(W) + rho2 * jumps(W).sum() + rho3 * l21(W),
    "Weight1FGLasso": lambda W, rho1, rho2: rho1 @ np.abs(W).sum(axis=1) + rho2 * jumps(W).sum(),
    "Weight2FGLasso": lambda W, rho1, rho2: rho1 @ np.abs(W).sum(axis=1) + rho2 @ jumps(W),
    "ADMM": calibrated,
    "DFISTA": calibrated,
}


def objective(function, Xs, ys, parts, b, arguments):
    """MALSAR's, at a list of parts of W."""
    omega = OMEGAS[function.rpartition("_")[2]]
    return loss(function, Xs, ys, sum(parts), b) + omega(*parts, **arguments)


def assert_objective(function, model, factor, Xs, ys, arguments):
    parts = [part.T for part in model.components_.values()]
    theirs = objective(function, Xs, ys, parts, model.intercept_, arguments)
    ours, rounding = factor * model.objective_, 1e-11 * theirs
    assert theirs - rounding <= ours <= theirs + floor_of(function, ys) + rounding
    return parts, theirs


# -- without their data --

ROWS = np.linspace(0.5, 2.0, 6)
ARGUMENTS = {
    "Lasso": {"rho1": 2.0, "rho_L2": 0.5},
    "L21": {"rho1": 2.0, "rho_L2": 0.5},
    "Trace": {"rho1": 3.0, "rho_L2": 0.5},
    "Dirty": {"rho1": 8.0, "rho2": 5.0},
    "rMTFL": {"rho1": 6.0, "rho2": 8.0},
    "RMTL": {"rho1": 6.0, "rho2": 5.0},
    "SparseTrace": {"gamma": 5.0, "tau": 1.5},
    "CMTL": {"rho1": 2.0, "rho2": 0.6, "k": 2},
    "CASO": {"rho1": 2.0, "rho2": 0.6, "k": 1},
    "SRMTL": {"R": np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, 1.0]]), "rho1": 1.0, "rho2": 2.0, "rho_L2": 0.5},
    "TGL": {"rho1": 0.5, "rho2": 2.0, "rho3": 3.0},
    "FGLasso": {"rho1": 2.0, "rho2": 1.0},
    "CFGLasso": {"rho1": 1.0, "rho2": 0.7, "rho3": 2.0},
    "Weight1FGLasso": {"rho1": ROWS, "rho2": 1.0},
    "Weight2FGLasso": {"rho1": ROWS, "rho2": ROWS[::-1]},
    "ADMM": {"lambda1": 0.5, "lambda2": 0.1},
    "DFISTA": {"lambda1": 0.5, "lambda2": 0.1},
}


@pytest.mark.parametrize("function", MODELS)
def test_same_objective(function):
    rng = np.random.default_rng(0)
    Xs = [rng.standard_normal((n, 6)) for n in (14, 9, 20)]
    ys = [X @ [1.0, t, 0.0, -1.0, 0.5, 0.0] + rng.standard_normal(len(X)) for t, X in enumerate(Xs)]
    arguments = ARGUMENTS[function.rpartition("_")[2]]
    if function.startswith("Logistic"):
        ys = [np.where(y > 0, 1, -1) for y in ys]
        small = {"k", "R"}
        arguments = {name: a if name in small else 0.03 * a for name, a in arguments.items()}
    model, factor = fit(function, Xs, ys, arguments)
    parts, least = assert_objective(function, model, factor, Xs, ys, arguments)
    assert all(np.any(part) for part in parts)
    for seed in range(20):
        random = np.random.default_rng(seed)
        moved = [part + 1e-3 * random.standard_normal(part.shape) for part in parts]
        assert objective(function, Xs, ys, moved, model.intercept_, arguments) >= least


# -- with them --


def with_cases(test):
    skip = pytest.mark.skipif(not CASES, reason="MTLREG_DATA is not set, or has no malsar/cases.json")
    return skip(pytest.mark.parametrize("case", CASES or [None], ids=lambda case: case and case["case"])(test))


def arrays(case):
    """Features, labels and arguments of a case."""
    with np.load(FOLDER / f"{case['dataset']}.npz") as data:
        Xs, ys = ([data[f"{name}_{t}"] for t in range(int(data["T"]))] for name in "Xy")
    arguments = {name: np.array(a) if isinstance(a, list) else a for name, a in case["arguments"].items()}
    return [X.astype(float) for X in Xs], [np.ravel(y) for y in ys], arguments


@with_cases
def test_optimum(case):
    Xs, ys, arguments = arrays(case)
    model, factor = fit(case["function"], Xs, ys, arguments)
    assert model.converged_
    assert_objective(case["function"], model, factor, Xs, ys, arguments)
    optimum, slack = case["optimum"], case["certified_gap"] + 1e-11 * case["optimum"]
    reached, gap = factor * model.objective_, factor * model.dual_gap_
    below = gap + floor_of(case["function"], ys) + slack
    assert reached <= optimum * (1 + 1e-6)
    assert reached - below <= optimum <= reached + slack, "the certificate does not bracket the optimum"


@pytest.mark.skipif(not CASES, reason="the data are not here")
def test_every_function_has_its_row():
    assert {case["function"] for case in CASES} == set(MODELS)


@pytest.mark.skipif(not CASES, reason="the data are not here")
def test_excess():
    found = {}
    for case in CASES:
        found.setdefault(case["function"], []).append(100 * (case["malsar_reached"] / case["optimum"] - 1))
    for function, printed in EXCESS.items():
        assert [f"{excess:.2f}" for excess in found.pop(function)] == printed
    assert max(max(pair) for pair in found.values()) < 1e-4, "the page says that the others reach their optima"
