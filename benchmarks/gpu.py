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

from scipy import sparse

from benchmarks.certify import FAMILIES, relative_gap
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
    "sparse": Shape(100_000, 50_000, 20, 50, density=0.001),
    "largest": Shape(20_000, 100_000, 200, 50),
}
#: sizes of tasks with rows of their own
OWN = {
    "tiny": Shape(40, 200, 20, 10),
    "medium": Shape(20, 2000, 100, 20, most=200),
    "wide": Shape(50, 5000, 1000, 50, most=500),
}
QUICK = ("tiny", "small")
BY_DEFAULT = tuple(name for name in SIZES if name != "largest")  # that takes the CPU hours
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
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=["l21"], help="default: l21")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=BY_DEFAULT, help="default: but the largest")
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
    rows = []
    for family in options.families:
        known = OWN if FAMILIES[family].own else SIZES
        for name in QUICK if options.quick else options.sizes:
            if name in known:
                rows.append(_row(cupy, card, from_shape(known[name], name, family), options.repeats))
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
            X, y = _given(xp, model, problem)
            model.fit(X, y)  # compiles
            times.append(median(_seconds(xp, lambda X=X, y=y: model.fit(X, y)) for _ in range(repeats)))
            gaps.append(relative_gap(problem, problem.alpha_max / DIVISOR, to_host(model.coef_).T))
        step, floor = _step(cupy, X, y, model, repeats), _floor(card, problem)
    (cpu, gpu), torch = times, _pytorch(problem, repeats)
    cells = [f"{cpu:.3g}", _shown(torch), f"{gpu:.3g}", f"{cpu / gpu:.2f}", _shown(torch and torch / gpu)]
    cells += [*(f"{gap:.0e}" for gap in gaps), f"{step:.2e}", f"{floor:.2e}", f"{floor / step:.2f}"]
    return [problem.family, str(problem), *cells]


def _given(xp, model, problem):
    """X and y on the device; a sparse X is given on the host, and brought over by every fit."""
    X, y = load(ours).data(problem)
    if not sparse.issparse(X):
        return xp.asarray(X), xp.asarray(y)
    model.set_params(device="cpu" if xp is np else "cuda")
    return X, y


def _floor(card, problem):
    """Seconds that a step takes at least: X read twice, or the operations of its two products."""
    blocks = problem.X if isinstance(problem.X, list) else [problem.X]
    stored = [block.nnz if sparse.issparse(block) else block.size for block in blocks]
    size = sum(12 * k if sparse.issparse(block) else 8 * k for k, block in zip(stored, blocks, strict=True))
    columns = 1 if isinstance(problem.X, list) else problem.shape_w[1]
    return max(2 * size / card.bytes, 4 * sum(stored) * columns / card.flops)


def _shown(number):
    return "" if number is None else f"{number:.3g}"


def _pytorch(problem, repeats):
    """Seconds of PyTorch's on the GPU at its loosest tolerance that is good enough; None where it cannot."""
    if not pytorch.on_gpu() or problem.family not in pytorch.FAMILIES or not pytorch.supports(problem):
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
        X, Y = _given(cupy, model, problem)
        for call in (lambda: model.fit(X, Y), lambda: search.fit(X, Y), lambda: search.fit(problem.X, problem.Y)):
            call()  # compiles
            times.append(_seconds(cupy, call))
    fit, there, here = times
    ratios = f"{there / fit:.1f}", f"{here:.3g}", f"{here / there:.2f}"
    return [str(problem), f"{fit:.3g}", f"{there:.3g}", *ratios]


def _step(cupy, X, y, model, repeats):
    """Seconds of a step of FISTA on these very rows, with the look at the curvature after every tenth."""
    from mtlreg.solvers.fista import CHECK_EVERY, Walk

    problem = model._encode(X, y, None)[0].problem
    walk = Walk(problem, problem.origin, problem.null.Z)
    walk.advance(CHECK_EVERY)
    return median(_seconds(cupy, lambda: walk.advance(CHECK_EVERY)) for _ in range(max(repeats, 3))) / CHECK_EVERY


if __name__ == "__main__":
    sys.exit(main())
