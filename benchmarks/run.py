"""Times of mtlreg and other packages to a certified gap: `python -m benchmarks.run --help`."""

import argparse
import shlex
import sys
import time
from pathlib import Path

from benchmarks import peers
from benchmarks.certify import FAMILIES
from benchmarks.measure import compare
from benchmarks.problems import FULL, names
from benchmarks.report import report

__all__ = ["installed", "log", "main"]


def main(arguments=None):
    """Run what the arguments say; the text is written after every problem, so that an interrupt loses little."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    command = shlex.join(["python", "-m", "benchmarks.run", *arguments])
    chosen = installed(options.peers)
    comparisons = []
    for family in options.families:
        for name in names([family], options.quick):
            if options.problems and name not in options.problems:
                continue
            settings = {"quick": options.quick, "repeats": options.repeats, "budget": options.budget, "log": log}
            comparisons.append(compare(name, family, chosen, **settings))
            if options.out is not None:
                options.out.write_text(report(comparisons, chosen, command))
    print(report(comparisons, chosen, command))


def installed(wanted):
    """Those of the peers that are here; the others are named once."""
    found = [peer for peer in wanted if peers.load(peer).available()]
    for missing in [peer for peer in wanted if peer not in found]:
        log(f"{missing} is not installed: left out")
    return found


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small versions of a few problems: minutes")
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=["l21"], help="default: l21")
    parser.add_argument("--problems", nargs="+", choices=names(FULL), help="default: all of a family")
    parser.add_argument("--peers", nargs="+", choices=peers.PEERS, default=list(peers.PEERS), help="default: all")
    parser.add_argument("--repeats", type=int, default=3, help="of every time in the table (default: 3)")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for one solve (default: 60)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser


def log(text):
    """A line of progress, to stderr."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
