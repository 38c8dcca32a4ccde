"""What do penalties and nets do for estimation where their assumptions hold?"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from benchmarks.evidence import blocks, clusters, conflict, graph, masked, peaks, phase, temporal, unequal
from benchmarks.evidence.study import write

__all__ = ["STUDIES", "main"]

STUDIES = {"phase": phase, "blocks": blocks, "clusters": clusters, "temporal": temporal, "graph": graph}
STUDIES |= {"peaks": peaks, "conflict": conflict, "unequal": unequal, "masked": masked}


def main(arguments=None):
    """Run one study; its section is written and printed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    study = STUDIES[options.name].STUDY
    command = shlex.join(["python", "-m", "benchmarks.evidence", *arguments])
    clock = time.perf_counter()
    outcome = study.run(options.quick, options.jobs)
    print(write(options.out, options.name, study, outcome, command))
    print(f"{options.name}: {time.perf_counter() - clock:.0f} s", file=sys.stderr)
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("name", choices=list(STUDIES), help="which study")
    parser.add_argument("--quick", action="store_true", help="few draws of small data: whether it runs, not what is so")
    parser.add_argument("--jobs", type=int, help="processes (default: one)")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="folder of RESULTS.md and the figures (default: here)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
