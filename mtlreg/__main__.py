"""``python -m mtlreg``: ten related tasks from scikit-learn's digits, and which way of sharing helps."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from sklearn.datasets import load_digits

from mtlreg.compare import DEFAULT_FAMILIES, FAMILIES, compare

SIZES = (10, 20, 40)
COMMANDS = ("compare", "predict")  # of mtlreg.cli


def digits_tasks(missing=0.2, random_state=0):
    """X (1797, 64), Y (1797, 10) with ``Y[i, d] = 1`` if image i shows digit d (NaN where missing), and the digits."""
    X, digit = load_digits(return_X_y=True)
    Y = (digit[:, None] == np.arange(10)).astype(float)
    Y[np.random.default_rng(random_state).random(Y.shape) < missing] = np.nan
    return X, Y, digit


def few_per_digit(digit, n_each, n_splits, random_state=0):
    """Splits with ``n_each`` training images of every digit; all others are for testing."""
    rng = np.random.default_rng(random_state)
    found = []
    for _ in range(n_splits):
        train = np.concatenate([rng.choice(np.flatnonzero(digit == d), n_each, replace=False) for d in range(10)])
        found.append((np.sort(train), np.setdiff1d(np.arange(len(digit)), train)))
    return found


def main(argv=None):
    """Run a command of `mtlreg.cli` if the first argument names one, else the comparison; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv and argv[0] in COMMANDS:
        from mtlreg.cli import run_command

        return run_command(argv[0], argv[1:])
    text = "Your own data: 'compare FILE.csv' and 'predict model.joblib NEW.csv'; each has its --help."
    parser = argparse.ArgumentParser(prog="python -m mtlreg", description=__doc__, epilog=text)
    parser.add_argument("--plot", default="mtlreg_digits.png", help="where to save the picture (default: %(default)s)")
    parser.add_argument("--splits", type=int, default=2, help="random splits for each size (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    args = parser.parse_args(argv)
    if args.splits < 1:
        parser.error("--splits must be at least 1")
    clock = time.perf_counter()
    X, Y, digit = digits_tasks(random_state=args.seed)
    print("Ten tasks from scikit-learn's digits: does the image show 0, 1, ..., 9? 20 % of the labels are missing.\n")
    for name in DEFAULT_FAMILIES:
        print(f"  {name:17s} {FAMILIES[name]}")
    comparisons = {}
    for n_each in SIZES:
        splits = few_per_digit(digit, n_each, args.splits, args.seed)
        comparisons[n_each] = compare(
            X, Y, families=DEFAULT_FAMILIES, cv=splits, random_state=args.seed, n_jobs=args.jobs
        )
        print(f"\n{n_each} training images of each digit\n\n{comparisons[n_each]}")
    saved = save_plot(comparisons, args.plot)
    print(f"\n{saved}; {time.perf_counter() - clock:.0f} s in all.")
    return 0


def save_plot(comparisons, path):
    """Save one picture for all sizes; says what happened."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return 'No picture: matplotlib is not installed (pip install "mtlreg[plot]")'
    figure = Figure(figsize=(5 * len(comparisons), 4), layout="constrained")
    axes = figure.subplots(1, len(comparisons), sharey=True, squeeze=False)[0]
    for ax, (n_each, comparison) in zip(axes, comparisons.items(), strict=True):
        comparison.plot(ax)
        ax.set_title(f"{n_each} images of each digit")
    axes[0].invert_yaxis() if not axes[0].yaxis_inverted() else None
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        return f"No picture: {error}"
    return f"Picture saved to {path}"


if __name__ == "__main__":
    sys.exit(main())
