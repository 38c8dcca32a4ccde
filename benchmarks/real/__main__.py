"""Which sharing helps on real data? Models side by side, with the baselines that have to be beaten."""

import argparse
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.real import classes, regression
from benchmarks.real.job import load_data, run
from benchmarks.real.text import report, section
from mtlreg.compare import FAMILIES

__all__ = ["main"]

ORDER = ("school", "computer_survey", "mfeat", "sarcos", "slump", "wq", "atp1d", "landmine", "parkinsons", "tox21")
DATA = {name: (regression.DATA | classes.DATA)[name] for name in ORDER}


def main(arguments=None):
    """Run what the arguments say and return the exit status.

    The file is written after every data set, so that an interrupt loses little.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        data = load_data()
    except FileNotFoundError as error:
        print(f"benchmarks.real: {error}", file=sys.stderr)
        return 2
    order, sections = [dataset.title for dataset in DATA.values()], {}
    extra = (["--quick"] if options.quick else []) + (["--jobs", str(options.jobs)] if options.jobs else [])
    extra += ["--families", *options.families] if options.families else []
    for name in options.data:
        clock = time.perf_counter()
        dataset, jobs = DATA[name], DATA[name].jobs(data, options.quick)
        if options.families:  # the data set's words on what is left out are of its own choice
            dataset = replace(dataset, left_out="")
            jobs = [replace(job, families=tuple(options.families), extra={}) for job in jobs]
        pairs = [(job, run(job, options.quick, options.cache, options.jobs)) for job in jobs]
        command = shlex.join(["python", "-m", "benchmarks.real", "--data", name, *extra])
        sections[dataset.title] = section(dataset, pairs, command)
        if options.reports is not None:
            options.reports.mkdir(parents=True, exist_ok=True)
            for k, (job, found) in enumerate(pairs):
                found.report(options.reports / f"{name}{k or ''}.html", job.X, job.y, command)
        print(f"{name}: {time.perf_counter() - clock:.0f} s", file=sys.stderr, flush=True)
        if options.out is not None:
            old = options.out.read_text() if options.out.exists() else ""
            options.out.write_text(report(sections, order, old))
    print(report(sections, order))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real",
        description=__doc__,
        epilog="The environment variable MTLREG_DATA names the folder of the data, with its loaders.py.",
    )
    parser.add_argument(
        "--data", nargs="+", choices=list(DATA), default=list(DATA), metavar="NAME", help=", ".join(DATA)
    )
    parser.add_argument(
        "--families", nargs="+", choices=list(FAMILIES), metavar="NAME", help="of mtlreg.compare (default: by data set)"
    )
    parser.add_argument("--quick", action="store_true", help="one or two splits, few models: under a minute for each")
    parser.add_argument("--out", type=Path, help="Markdown file whose sections to write")
    parser.add_argument("--reports", type=Path, help="folder for an HTML page of each comparison")
    parser.add_argument("--cache", type=Path, help="folder in which an interrupted run resumes")
    parser.add_argument("--jobs", type=int, help="processes (default: one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
