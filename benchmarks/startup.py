"""What a process pays before its first result: imports, the first fit, memory: `python -m benchmarks.startup --help`.

Every figure comes from processes of its own. Nothing heavy is imported here, so that a process started from this module
has neither NumPy nor scikit-learn loaded.
"""

import argparse
import importlib
import multiprocessing
import os
import shlex
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

__all__ = ["main"]

SHAPE = (100, 200, 5)  # of the first fit: small, so that starting is what costs
SHAPES = {"tall": (20, 1), "wide": (1, 20)}  # rows to features, for memory
TASKS = 10


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="of imports and warm starts (default: 5)")
    parser.add_argument("--cold-repeats", type=int, default=2, help="of fits that compile (default: 2)")
    parser.add_argument("--megabytes", type=int, default=200, help="size of the memory-mapped X (default: 200)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args(arguments)
    sections = [*_imports(options.repeats), *_first_fits(options.repeats, options.cold_repeats)]
    sections += _memory(options.megabytes)
    from benchmarks.report import environment

    command = shlex.join(["python", "-m", "benchmarks.startup", *arguments])
    text = "\n".join(["# Starting", "", *environment(command), *sections]) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)


@contextmanager
def _process(function, *arguments, **environment):
    """A fresh process running ``function(connection, *arguments)``: yields (connection, its id)."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=function, args=(there, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield here, process.pid
    finally:
        process.join(10)
        process.kill()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _answer(function, *arguments, **environment):
    with _process(function, *arguments, **environment) as (connection, _):
        return connection.recv()


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _spread(values):
    return f"{median(values):.3g} ({min(values):.3g}, {max(values):.3g})"


# -- imports ---------------------------------------------------------------------------------------------------


def _import(connection, names):
    connection.send([_seconds(lambda name=name: importlib.import_module(name)) for name in names])


def _imports(repeats):
    from benchmarks.report import table

    orders = {
        "`import sklearn.linear_model`": ["sklearn.linear_model"],
        "`import mtlreg`": ["mtlreg"],
        "`import mtlreg` after `sklearn.linear_model`": ["sklearn.linear_model", "mtlreg"],
    }
    _answer(_import, ["sklearn.linear_model", "mtlreg"])  # so that all of it is in the page cache
    times = {label: [] for label in orders}
    for _ in range(repeats):
        for label, names in orders.items():
            times[label].append(_answer(_import, names)[-1])
    lines = ["", "## Imports", "", "Wall seconds in a fresh process: median (least, most).", ""]
    return lines + table(["what", "s"], [[label, _spread(values)] for label, values in times.items()])


# -- first fit -------------------------------------------------------------------------------------------------


def _model(package, kind):
    """A function that makes an estimator, importing its package."""
    if package == "mtlreg":
        from mtlreg import BlockSparseClassifier, BlockSparseRegressor

        return BlockSparseClassifier if kind == "classifier" else BlockSparseRegressor
    from sklearn.linear_model import MultiTaskLasso

    return MultiTaskLasso


def _fit_twice(connection, package, kind):
    import numpy as np
    import sklearn.linear_model  # noqa: F401
    from scipy import sparse

    n, p, n_tasks = SHAPE
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    Y = X[:, :3] @ rng.standard_normal((3, n_tasks)) + rng.standard_normal((n, n_tasks))
    if kind == "sparse":
        X = sparse.csc_array(np.where(np.abs(X) > 1, X, 0.0))
    if kind == "classifier":
        Y = np.where(Y > 0, 1, 0)
    imported = _seconds(lambda: _model(package, kind))
    estimator = _model(package, kind)
    alpha = 0.05 if kind == "classifier" else 0.5
    connection.send((imported, *(_seconds(lambda: estimator(alpha=alpha).fit(X, Y)) for _ in range(2))))


def _first_fits(repeats, cold_repeats):
    from benchmarks.report import table

    rows = []
    for kind in ("dense", "sparse", "classifier"):
        if kind != "classifier":
            rows.append(_first_fit("scikit-learn MultiTaskLasso", kind, "none", "sklearn", repeats))
        model = "BlockSparseClassifier" if kind == "classifier" else "BlockSparseRegressor"
        cold = []
        for _ in range(cold_repeats):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(_answer(_fit_twice, "mtlreg", kind, NUMBA_CACHE_DIR=cache))
        rows.append(_row(f"mtlreg {model}", kind, "empty", cold))
        with tempfile.TemporaryDirectory() as cache:
            _answer(_fit_twice, "mtlreg", kind, NUMBA_CACHE_DIR=cache)
            rows.append(_first_fit(f"mtlreg {model}", kind, "filled", "mtlreg", repeats, NUMBA_CACHE_DIR=cache))
    text = f"X {SHAPE[0]} x {SHAPE[1]}, {SHAPE[2]} tasks. NumPy, SciPy and scikit-learn were imported before."
    lines = ["", "## First fit", "", text, "Wall seconds in a fresh process: median (least, most).", ""]
    return lines + table(["model", "X", "Numba's cache", "import", "first fit", "second fit"], rows)


def _first_fit(label, kind, cache, package, repeats, **environment):
    return _row(label, kind, cache, [_answer(_fit_twice, package, kind, **environment) for _ in range(repeats)])


def _row(label, kind, cache, times):
    data = "dense" if kind == "classifier" else kind
    imported, *fits = map(_spread, zip(*times, strict=True))
    return [label, data, cache, imported if cache != "none" else "", *fits]


# -- memory ----------------------------------------------------------------------------------------------------


def _fit_mapped(connection, package, path):
    import numpy as np

    X = np.load(path, mmap_mode="r")
    Y = np.random.default_rng(1).standard_normal((X.shape[0], TASKS)) + X[:, :1]
    alpha = float(np.linalg.norm(X.T @ (Y - Y.mean(axis=0)), axis=1).max()) / len(Y) / 3
    estimator = _model(package, "dense")
    estimator(alpha=alpha).fit(np.array(X[:50, :50]), Y[:50])  # so that imports and compilation are not counted
    connection.send("ready")
    connection.recv()
    estimator(alpha=alpha).fit(X, Y)
    connection.send("done")


def _memory(megabytes):
    from benchmarks.report import table

    heading = ["", "## Memory", ""]
    if not Path("/proc/self/status").exists():
        return [*heading, "Measured on Linux only."]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (long, short) in SHAPES.items():
            for order in "CF":
                path = Path(folder, "X.npy")
                n, p = _write(path, megabytes, long / short, order)
                size = path.stat().st_size / 1e6
                for package in ("mtlreg", "sklearn"):
                    with _process(_fit_mapped, package, str(path)) as (connection, pid):
                        peak = _peak(connection, pid)
                    title = "scikit-learn MultiTaskLasso" if package == "sklearn" else "mtlreg BlockSparseRegressor"
                    data = f"{name} {n} x {p}, {order} order"
                    rows.append([title, data, f"{size:.0f}", f"{peak:.0f}", f"{peak / size:.2f}"])
    text = f"The most private memory (RssAnon) during a fit with intercepts, {TASKS} tasks, less what there was before."
    lines = [*heading, text, "X is read from a memory-mapped file, which is not private memory.", ""]
    return lines + table(["model", "X", "X MB", "peak MB", "peak / X"], rows)


def _write(path, megabytes, ratio, order):
    import numpy as np

    p = round((megabytes * 1e6 / 8 / ratio) ** 0.5)
    n = round(megabytes * 1e6 / 8 / p)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(n, p), fortran_order=order == "F")
    rng = np.random.default_rng(0)
    for j in range(0, p, 100):
        X[:, j : j + 100] = rng.standard_normal((n, min(100, p - j)))
    X.flush()
    return n, p


def _peak(connection, pid):
    """Megabytes of private memory that a process takes beyond what it had when it was told to go on."""
    connection.recv()
    before = highest = _private(pid)
    connection.send("go")
    while not connection.poll(0.002):
        highest = max(highest, _private(pid))
    connection.recv()
    return highest - before


def _private(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), 0.0)


if __name__ == "__main__":
    main()
