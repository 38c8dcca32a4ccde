"""mtlreg on a GPU next to mtlreg on the CPU and PyTorch, to the same certified gap: `python -m benchmarks.gpu --help`.

Each fit is timed by the wall clock, with the data where it computes, the device waited for, and kernels compiled by an
earlier fit; the CPU has all threads that its libraries take. The gap of every W is computed anew on the host, by the
function that certifies the other benchmarks. Beside it stands the floor of the hot loop: what one step of FISTA moves
(X twice) over the card's copy rate, and what it multiplies over the rate of its matrix products, both measured first,
whichever takes longer. PyTorch is FISTA as users write it (`benchmarks.peers.pytorch`), at the loosest tolerance whose
result is certified to the goal; what finding that takes is not counted. Searches are 100 strengths in five splits, next
to one fit at a tenth of alpha_max.
"""

import argparse
import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # read when SciPy is first imported

from benchmarks.certify import relative_gap
from benchmarks.peers import load, ours, pytorch
from benchmarks.problems import Shape, from_shape
from benchmarks.report import environment, table

__all__ = ["main"]

GOAL, DIVISOR = 1e-6, 10
SIZES = {
    "tiny": Shape(100, 200, 10, 5),
    "small": Shape(300, 1000, 20, 10),
    "medium": Shape(500, 4000, 50, 20),
    "wide": Shape(1000, 20_000, 100, 50),
    "widest": Shape(2000, 100_000, 100, 50),
    "tall": Shape(1_000_000, 200, 50, 20),
    "square": Shape(20_000, 5000, 1000, 100),
}
QUICK = {"small": SIZES["small"], "tall": Shape(5000, 100, 10, 10)}
FAMILIES = ("l21", "l1linf", "trace", "logistic")
HEADER = ["family", "problem", "CPU s", "PyTorch s", "GPU s", "CPU / GPU", "PyTorch / GPU", "gap CPU", "gap GPU"]
HEADER += ["step s", "floor s", "floor / step"]
SEARCHES = ["problem", "fit s", "search s", "search / fit", "search on the CPU s", "CPU / GPU"]
ALPHAS, FOLDS = 100, 5


@dataclass
class Card:
    """What a device does at best: bytes copied and float64 operations of a matrix product, in a second."""

    name: str
    bytes: float
    flops: float


def main(arguments=None):
    """Measure, and print or write the table; 2 where there is no GPU."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small sizes")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=["l21"], help="default: l21")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), help="default: all")
    parser.add_argument("--repeats", type=int, default=3, help="of every time, of which the median counts (default: 3)")
    parser.add_argument("--searches", nargs="+", choices=list(SIZES), default=[], help="sizes to search on too")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args(arguments)
    try:
        import cupy

        card = measured_card(cupy)
    except Exception as error:  # no CuPy, no driver, no device: its own errors exist only where it does
        print(f"needs CuPy and a CUDA device: {error}", file=sys.stderr)
        return 2
    sizes = QUICK if options.quick else SIZES
    rows = []
    for family in options.families:
        for name, shape in sizes.items():
            if options.sizes is None or name in options.sizes:
                rows.append(_row(cupy, card, from_shape(shape, name, family), options.repeats))
                print(rows[-1], file=sys.stderr, flush=True)
    command = shlex.join(["python", "-m", "benchmarks.gpu", *arguments])
    rates = f"{card.name}: {card.bytes / 1e12:.2f} TB/s copied, {card.flops / 1e12:.1f} TFLOP/s in float64 products."
    lines = ["# GPU", "", *environment(command), "", rates, "", *table(HEADER, rows)]
    if options.searches:
        found = [_search(cupy, from_shape(SIZES[name], name, "l21")) for name in options.searches]
        lines += ["", f"{ALPHAS} strengths in {FOLDS} splits.", "", *table(SEARCHES, found)]
    text = "\n".join(lines) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)
    return 0


def measured_card(xp):
    """Rates of the present device, by its own best at copies of 1 GiB and products of 4096 rows."""
    name = xp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    a, A = xp.ones(2**27), xp.ones((4096, 4096))
    copied = min(_seconds(xp, lambda: a.copy()) for _ in range(5))
    multiplied = min(_seconds(xp, lambda: A @ A) for _ in range(5))
    return Card(name, 2 * a.nbytes / copied, 2 * 4096**3 / multiplied)


def _seconds(xp, call):
    """Wall seconds of a call, the device waited for before and after; xp is NumPy or CuPy."""
    wait = (lambda: None) if xp is np else xp.cuda.Device().synchronize
    wait()
    before = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - before


def _row(cupy, card, problem, repeats):
    from sklearn import config_context

    from mtlreg.validation import to_host

    model = load(ours).estimator(problem.family, problem.alpha_max / DIVISOR, GOAL)
    gaps, times = [], []
    with config_context(array_api_dispatch=True):
        for xp in (np, cupy):
            X, Y = xp.asarray(problem.X), xp.asarray(problem.Y)
            model.fit(X, Y)  # compiles
            times.append(median(_seconds(xp, lambda X=X, Y=Y: model.fit(X, Y)) for _ in range(repeats)))
            gaps.append(relative_gap(problem, problem.alpha_max / DIVISOR, to_host(model.coef_).T))
        step = _step(cupy, cupy.asarray(problem.X), cupy.asarray(problem.Y), model, repeats)
    n, p = problem.X.shape
    floor = max(2 * problem.X.nbytes / card.bytes, 4 * n * p * problem.Y.shape[1] / card.flops)
    (cpu, gpu), torch = times, _pytorch(problem, repeats)
    cells = [f"{cpu:.3g}", _shown(torch), f"{gpu:.3g}", f"{cpu / gpu:.2f}", _shown(torch and torch / gpu)]
    cells += [*(f"{gap:.0e}" for gap in gaps), f"{step:.2e}", f"{floor:.2e}", f"{floor / step:.2f}"]
    return [problem.family, str(problem), *cells]


def _shown(number):
    return "" if number is None else f"{number:.3g}"


def _pytorch(problem, repeats):
    """Seconds of PyTorch's at its loosest tolerance that is good enough; None where it is not installed."""
    if not pytorch.available():
        return None
    alpha = problem.alpha_max / DIVISOR
    for accuracy in pytorch.LADDER:
        if relative_gap(problem, alpha, pytorch.solve(problem, alpha, accuracy)["W"]) <= GOAL:
            return median(pytorch.solve(problem, alpha, accuracy)["seconds"] for _ in range(repeats))
    return None


def _search(cupy, problem):
    """A search next to a fit, and to the same search on the CPU."""
    from sklearn import config_context

    from mtlreg import PathSearchCV

    model = load(ours).estimator(problem.family, problem.alpha_max / DIVISOR, GOAL)
    search = PathSearchCV(model, alphas=ALPHAS, eps=1e-2, cv=FOLDS, refit=False)
    times = []
    with config_context(array_api_dispatch=True):
        X, Y = cupy.asarray(problem.X), cupy.asarray(problem.Y)
        for call in (lambda: model.fit(X, Y), lambda: search.fit(X, Y), lambda: search.fit(problem.X, problem.Y)):
            call()  # compiles
            times.append(_seconds(cupy, call))
    fit, there, here = times
    ratios = f"{there / fit:.1f}", f"{here:.3g}", f"{here / there:.2f}"
    return [str(problem), f"{fit:.3g}", f"{there:.3g}", *ratios]


def _step(cupy, X, Y, model, repeats):
    """Seconds of a step of FISTA on these very rows, a certificate every tenth, from a long run less a short one."""
    from mtlreg.solvers import solve

    problem = model._encode(X, Y, None)[0].problem
    few, many = 20, 120

    def run(steps):
        settings = {"tol": 0.0, "max_iter": steps, "warn": False, "scale": problem.null.value}
        return _seconds(cupy, lambda: solve(problem, "fista", **settings))

    run(few)
    return median((run(many) - run(few)) / (many - few) for _ in range(repeats))


if __name__ == "__main__":
    sys.exit(main())
