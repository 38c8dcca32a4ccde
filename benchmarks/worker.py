"""A peer in a process of its own: it starts with nothing warm, and can be stopped in the middle of compiled code."""

import multiprocessing
import traceback
import warnings

import numpy as np

from benchmarks import peers
from benchmarks.problems import DIVISORS, make_problem

__all__ = ["Failed", "Stopped", "Worker"]

START = 300.0  # seconds allowed for importing and compiling


class Stopped(Exception):  # noqa: N818
    """A solve ran out of time and its process was ended."""


class Failed(Exception):  # noqa: N818
    """A peer raised, or its process died; the message says how."""


class Worker:
    """A process that solves one problem with one peer.

    Attributes
    ----------
    first, again : float or None
        Seconds of the first call in the process and of the same call repeated: the difference is compilation.
    """

    def __init__(self, peer, name, family, quick):
        self._arguments = (peer, name, family, quick)
        self._process = self._connection = None
        self.first = self.again = None

    def solve(self, alpha, accuracy, budget, number=1):
        """What the peer's `solve` returned, or its `path` for an array of alphas; times are means of ``number`` calls.

        Raises `Stopped` after ``budget`` seconds a call, and `Failed`.
        """
        if self._process is None:
            self._start()
        return self._ask((alpha, accuracy, number), budget * number)

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(*self._arguments, other), daemon=True)
        self._process.start()
        other.close()
        first, again = self._ask(None, START)
        if self.first is None:
            self.first, self.again = first, again

    def _ask(self, request, timeout):
        self._connection.send(request)
        if not self._connection.poll(timeout):
            self.close()
            raise Stopped
        try:
            answer = self._connection.recv()
        except EOFError:
            self.close()
            raise Failed("its process died") from None
        if isinstance(answer, str):
            raise Failed(answer)
        return answer


def _serve(peer, name, family, quick, connection):
    warnings.simplefilter("ignore")  # convergence is judged by the certificate
    problem, module = make_problem(name, family, quick), peers.load(peer)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        try:
            answer = _warm_up(module, problem) if request is None else _solve(module, problem, *request)
        except Exception:
            answer = traceback.format_exc()
        connection.send(answer)


def _warm_up(module, problem):
    alpha = problem.alpha_max / DIVISORS[0]
    accuracy = getattr(module, "WARM", module.LADDER[len(module.LADDER) // 2])
    return tuple(_solve(module, problem, alpha, accuracy, 1)["seconds"] for _ in range(2))


def _solve(module, problem, alpha, accuracy, number):
    from threadpoolctl import threadpool_limits

    call = module.path if np.ndim(alpha) else module.solve
    with threadpool_limits(1):  # also the libraries that were loaded by an earlier call
        results = [call(problem, alpha, accuracy) for _ in range(number)]
    return {
        "W": np.asarray(results[-1]["W"]),
        "seconds": float(np.mean([r["seconds"] for r in results])),
        "cpu": float(np.mean([r["cpu"] for r in results])),
    }
