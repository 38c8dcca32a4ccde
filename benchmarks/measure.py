"""From a problem and its peers to times: a ladder of tolerances for each peer, then repeats of the rungs that count."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from benchmarks import peers
from benchmarks.certify import bounds
from benchmarks.problems import DIVISORS, make_problem
from benchmarks.worker import Failed, Stopped, Worker

__all__ = ["TARGETS", "Comparison", "Ladder", "Row", "Rung", "compare", "measure", "workers"]

TARGETS = (1e-4, 1e-6, 1e-8)  # certified relative gaps
LONG_ENOUGH = 0.1  # seconds: a shorter call is repeated within a measurement, at most so many times
MOST_CALLS = 20


@dataclass
class Rung:
    """One tolerance of a peer's ladder: what it returned was worth, and times repeated if it counts.

    ``primal`` and ``dual`` are those of `certify.bounds`, arrays of the points of a path or of one.
    """

    accuracy: float
    primal: np.ndarray
    dual: np.ndarray
    seconds: float
    wall: list = field(default_factory=list)
    cpu: list = field(default_factory=list)

    @property
    def gap(self):
        """The certified gap, of a path the largest of its points."""
        return float(np.max(self.primal - self.dual))


@dataclass
class Ladder:
    """The rungs of a peer, and what ended them early: seconds after which a solve was stopped, or an error."""

    targets: tuple
    rungs: list = field(default_factory=list)
    stopped: float | None = None
    error: str | None = None

    def reached(self, target):
        """The rung to quote for the target, or None: the loosest that reached it, which does the least work."""
        return next((rung for rung in self.rungs if rung.gap <= target), None)

    def counted(self):
        """The rungs to quote, with the targets each is quoted for: [(rung, targets)]."""
        targets = {}
        for target in self.targets:
            targets.setdefault(id(self.reached(target)), []).append(target)
        return [(rung, targets[id(rung)]) for rung in self.rungs if id(rung) in targets]

    @property
    def best_gap(self):
        return min((rung.gap for rung in self.rungs), default=float("inf"))


@dataclass
class Row:
    """A problem at one alpha, or along a path: ``ladders`` by peer."""

    label: str
    divisor: int | str
    ladders: dict
    targets: tuple = TARGETS

    def ratios(self, target):
        """CPU seconds of the best other peer over mtlreg's, one for each repeat; None if either did not reach."""
        rungs = {peer: ladder.reached(target) for peer, ladder in self.ladders.items()}
        mine = rungs.pop(peers.ours, None)
        others = [rung.cpu for rung in rungs.values() if rung is not None]
        if mine is None or not others:
            return None
        return [min(times) / own for own, *times in zip(mine.cpu, *others, strict=True)]

    def excess(self, rung):
        """How far the objective of a rung is above the best dual bound of any, at its worst point: at most its gap."""
        best = np.max([other.dual for ladder in self.ladders.values() for other in ladder.rungs], axis=0)
        return float(np.max(rung.primal - best))


@dataclass
class Comparison:
    """All rows of a problem, and ``first_calls``: peer -> (first call, same call again), in seconds."""

    family: str
    rows: list
    first_calls: dict


def compare(name, family, names, *, quick, repeats, budget, log):
    """Measure the peers on a problem.

    Parameters
    ----------
    name, family : str
    names : list of str
        Peers.
    quick : bool
    repeats : int
        Of every rung that is quoted.
    budget : float
        Seconds for one solve. A solve that takes longer is stopped, and ends the peer's ladder at this alpha.
    log : callable(str)
    """
    problem = make_problem(name, family, quick)
    with workers(problem, names, quick) as (usable, processes):
        rows = []
        for divisor in DIVISORS:
            alpha = problem.alpha_max / divisor
            rows.append(measure(problem, alpha, divisor, TARGETS, usable, processes, repeats, budget, log))
    return Comparison(family, rows, {peer: (w.first, w.again) for peer, w in processes.items() if w.first is not None})


@contextmanager
def workers(problem, names, quick, able="solve"):
    """``(modules, workers)`` by peer, of the peers that take the problem; their processes end with the context."""
    modules = {peer: peers.load(peer) for peer in names}
    usable = {peer: module for peer, module in modules.items() if _takes(module, problem) and hasattr(module, able)}
    processes = {peer: Worker(peer, problem.name, problem.family, quick) for peer in usable}
    try:
        yield usable, processes
    finally:
        for process in processes.values():
            process.close()


def _takes(module, problem):
    return module.available() and problem.family in module.FAMILIES and module.supports(problem)


def measure(problem, alpha, label, targets, usable, processes, repeats, budget, log):
    """A row: every peer down its ladder, then repeats; ``alpha`` may be the alphas of a path."""
    ladders = {}
    for peer, module in usable.items():
        ladders[peer] = _climb(processes[peer], problem, alpha, targets, module.LADDER, budget)
        log(f"{problem} /{label} {peer}: {_summary(ladders[peer])}")
    _repeat(processes, ladders, alpha, repeats, budget)
    return Row(str(problem), label, ladders, targets)


def _rung(problem, alpha, accuracy, answer):
    points = [(alpha, answer["W"])] if np.ndim(alpha) == 0 else zip(alpha, answer["W"], strict=True)
    primal, dual = np.transpose([bounds(problem, *point) for point in points])
    return Rung(accuracy, primal, dual, answer["seconds"])


def _climb(worker, problem, alpha, targets, tolerances, budget):
    """Down the tolerances until the smallest target is reached or a solve is stopped."""
    ladder = Ladder(targets)
    for accuracy in tolerances:
        try:
            answer = worker.solve(alpha, accuracy, budget)
        except Stopped:
            ladder.stopped = budget
            break
        except Failed as error:
            ladder.error = str(error)
            break
        ladder.rungs.append(_rung(problem, alpha, accuracy, answer))
        if ladder.rungs[-1].gap <= targets[-1]:
            break
    return ladder


def _repeat(processes, ladders, alpha, repeats, budget):
    """Time the rungs that count, peer after peer, the whole round so many times and each round from another peer."""
    order = list(ladders)
    for _ in range(repeats):
        for peer in order:
            for rung, _ in ladders[peer].counted():
                number = min(MOST_CALLS, 1 + int(LONG_ENOUGH / max(rung.seconds, 1e-9)))
                # it did finish within the budget once: a disturbed repeat is to count, not to be stopped
                answer = processes[peer].solve(alpha, rung.accuracy, 10 * budget, number)
                rung.wall.append(answer["seconds"])
                rung.cpu.append(answer["cpu"])
        order = order[1:] + order[:1]


def _summary(ladder):
    steps = ", ".join(f"{rung.seconds:.3g}s@{rung.gap:.0e}" for rung in ladder.rungs)
    end = "" if ladder.stopped is None else f", stopped after {ladder.stopped:g}s"
    return steps + end + ("" if ladder.error is None else f", failed: {ladder.error}")
