"""The packages compared, one module each, all with the same interface.

    NAME                 how it is called in tables
    FAMILIES             the penalties it solves, keys of `benchmarks.certify.NORMS`
    LADDER               its own tolerances, decreasing; the runner certifies what each returns
    version()            of the package
    available()          whether it is installed
    supports(problem)    whether it takes this problem's data
    solve(problem, alpha, accuracy) -> dict(W=(p, T), seconds=wall, cpu=CPU seconds)

`solve` times the call that a user makes and nothing else: no conversion of W, no certificate.
"""

import time
from importlib import import_module

__all__ = ["PEERS", "load", "ours", "timed"]

#: mtlreg first: the others are compared with it
PEERS = ("mtlreg", "sklearn", "celer", "skglm")
ours = PEERS[0]


def load(peer):
    """The module of a peer."""
    if peer not in PEERS:
        raise ValueError(f"{peer!r} is not one of {', '.join(PEERS)}.")
    return import_module(f"benchmarks.peers.{peer}")


def timed(call):
    """``(result, wall seconds, CPU seconds)`` of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, time.perf_counter() - wall, time.process_time() - cpu
