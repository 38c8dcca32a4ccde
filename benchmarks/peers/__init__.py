"""The packages compared, one module each, all with the same interface.

    NAME                 how it is called in tables
    FAMILIES             what it solves, keys of `benchmarks.certify.FAMILIES`
    LADDER               its own tolerances, decreasing; the runner certifies what each returns
    WARM                 the tolerance of the first, untimed call (default: the middle of the ladder)
    version()            of the package; "" for what is no package
    available()          whether it is installed
    supports(problem)    whether it takes this problem's data
    solve(problem, alpha, accuracy) -> dict(W=(p, T), seconds=wall, cpu=CPU seconds)
    path(problem, alphas, accuracy) -> the same with W (n_alphas, p, T), for decreasing alphas, where it has paths

Both time the call that a user makes and nothing else: no conversion of the data, none of W, no certificate.
"""

import time
from importlib import import_module

__all__ = ["PEERS", "load", "ours", "timed"]

#: mtlreg first: the others are compared with it
PEERS = ("mtlreg", "sklearn", "celer", "skglm", "adelie", "spams", "fista", "mutar", "bcd", "malsar")
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
