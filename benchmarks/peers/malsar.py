"""MALSAR, called through Octave: only where `octave` is on the path and MALSAR_PATH names its folder.

Its objectives are half the sum of squares (without the half for the dirty model) plus rho times the norm, so that rho
is alpha times the mean number of rows (twice that). Its tolerance is on the relative change of the objective. An Octave
process is started for every call; the solver runs twice in it and the second run is timed, inside.
Its logistic models have free intercepts, another problem.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.io import loadmat, savemat

from benchmarks.certify import FAMILIES as ALL

NAME = "MALSAR"
FUNCTIONS = {
    "l21": "Least_L21",
    "own": "Least_L21",
    "l1": "Least_Lasso",
    "trace": "Least_Trace",
    "dirty_linf": "Least_Dirty",
}
FAMILIES = tuple(FUNCTIONS)
LADDER = tuple(10.0**-k for k in range(3, 15))
WARM = LADDER[0]
LARGEST = 5e7  # entries of X: it wants one for each task

SCRIPT = """
addpath(genpath('{malsar}')); load('{data}');
opts = struct('init', 2, 'tFlag', 1, 'tol', {tol:.17g}, 'maxIter', 100000);
for k = 1:2, before = cputime; tic; W = {function}(X, Y, {rho}, opts); seconds = toc; cpu = cputime - before; end
save('-v7', '{answer}', 'W', 'seconds', 'cpu');
"""


def version():
    return "from MALSAR_PATH"


def available():
    return shutil.which("octave") is not None and Path(os.environ.get("MALSAR_PATH") or "missing").is_dir()


def supports(problem):
    if problem.family == "own":
        return True
    return not sparse.issparse(problem.X) and problem.X.size * problem.Y.shape[1] <= LARGEST


def _data(problem):
    """A folder with X and Y as cells of one array a task; it is removed with the process."""
    own = problem.family == "own"
    Xs, Ys = (problem.X, problem.Y) if own else ([problem.X] * problem.Y.shape[1], problem.Y.T)
    cells = {"X": np.empty(len(Xs), dtype=object), "Y": np.empty(len(Xs), dtype=object)}
    for t, (X, y) in enumerate(zip(Xs, Ys, strict=True)):
        cells["X"][t], cells["Y"][t] = X, y[:, None]
    folder = tempfile.TemporaryDirectory(prefix="malsar")
    savemat(Path(folder.name, "data.mat"), cells)
    return folder


def solve(problem, alpha, accuracy):
    folder = problem.ready(_data).name
    rho = [alpha * problem.size]
    if problem.family == "dirty_linf":
        rho = [2 * rho[0] * ALL["dirty_linf"].norm.price(problem.shape_w[1]), 2 * rho[0]]
    script = SCRIPT.format(
        malsar=os.environ["MALSAR_PATH"],
        data=Path(folder, "data.mat"),
        answer=Path(folder, "answer.mat"),
        tol=accuracy,
        function=FUNCTIONS[problem.family],
        rho=", ".join(f"{value:.17g}" for value in rho),
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(
        ["octave", "--quiet", "--no-gui", "--eval", script], check=True, capture_output=True, env=environment
    )
    answer = loadmat(Path(folder, "answer.mat"))
    return {"W": answer["W"], "seconds": answer["seconds"].item(), "cpu": answer["cpu"].item()}
