"""Training of a net: batches, schedules, each task's progress, and when to stop."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mtlreg.validation import to_host

__all__ = ["Progress", "Training"]

ADAPTIVE = 0.5  # what a task's rate is multiplied by when it has stopped improving
SLOWEST = 1e-3  # rate of a task
FALLING = 0.2  # what the learning rate is multiplied by where training has stalled
LEAST_RATE = 1e-6
CHUNK = 4096  # rows of one forward pass outside training


@dataclass
class Progress:
    """What an epoch leaves behind, so that training can go on later.

    Attributes
    ----------
    losses, validation : list of ndarray (n_tasks,)
        Mean loss of every task after each epoch: over the epoch's batches, and on rows held out.
    objectives : list of float
    rates : ndarray (n_tasks,)
        What each task's gradient is multiplied by.
    best, least : flat vector, float
        The state with the least loss (validation loss where there is one) and that loss.
    """

    n_tasks: int
    losses: list = field(default_factory=list)
    validation: list = field(default_factory=list)
    objectives: list = field(default_factory=list)
    rates: np.ndarray | None = None
    best: object = None
    least: float = np.inf

    def __post_init__(self):
        if self.rates is None:
            self.rates = np.ones(self.n_tasks)
        self.still = np.zeros(self.n_tasks, dtype=int)  # epochs without progress
        self.lowest = np.full(self.n_tasks, np.inf)
        self.idle = 0

    def without_best(self):
        """A copy that does not hold a state."""
        other = copy.copy(self)
        other.best, other.least = None, np.inf
        return other


class Training:
    """A net being trained.

    Parameters
    ----------
    settings : object
        With the parameters of the estimator that speak of training.
    objective : Objective
    variables : Variables
    optimizer : Adam or Momentum
    rows : Rows
    train, held_out : ndarray of int
        Positions of rows; none held out: no validation.
    rng : numpy.random.Generator
    progress : Progress
    main : ndarray of bool (n_tasks,)
        The tasks whose loss on the rows held out says which state is best.
    """

    def __init__(self, settings, objective, variables, optimizer, rows, train, held_out, rng, progress, main):
        self.settings, self.objective, self.variables, self.optimizer = settings, objective, variables, optimizer
        self.rows, self.train, self.held_out, self.rng, self.progress = rows, train, held_out, rng, progress
        self.main = main
        self.gradients = variables.copy()  # of the same shape
        self.rate = settings.learning_rate_init
        inside = np.zeros(rows.X.shape[0], dtype=bool)
        inside[train] = True
        self.of_task = [at[inside[at]] for at in rows.labelled]
        # weights sum to one over all rows of a task; those held out do not count
        held = self._sums_of_weights(held_out)
        self.kept = np.where(held < 1, 1 - held, 1.0)
        self.held = np.where(held > 0, held, np.nan)
        self.validated = len(held_out) > 0
        self.tol = settings.tol * objective.network.unit**2  # losses are in the labels' unit squared

    def _sums_of_weights(self, rows):
        """Of every task's labels among some rows."""
        pairs = zip(self.rows.labelled, self.rows.shares, strict=True)
        return np.array([share[np.isin(at, rows)].sum() for at, share in pairs])

    # -- epochs ----------------------------------------------------------------------------------------------------

    def run(self, n_epochs, callback=None):
        """Train; returns whether it ended for a reason other than the number of epochs.

        An interrupt leaves the best state of whole epochs, if there is one, and goes on to the caller.
        """
        try:
            for epoch in range(n_epochs):
                if self.settings.learning_rate == "cosine":
                    self.rate = 0.5 * self.settings.learning_rate_init * (1 + np.cos(np.pi * epoch / n_epochs))
                if not self.epoch():
                    return self._diverged()
                finished = self._finished()
                self._report()
                if callback is not None and callback(self) or finished:
                    break
            else:
                finished = False
            if self.validated:
                self.restore()
            return finished
        except KeyboardInterrupt:
            self.restore()
            raise

    def epoch(self):
        """One pass; False if a loss is not finite any more."""
        sums, counts = np.zeros((2, self.rows.n_tasks))
        rates, objective, variables = self.progress.rates, self.objective, self.variables
        frozen, whole = self._frozen(rates), self.settings.schedule == "joint"
        if whole:  # every row once
            counts = self.kept * (self.rows.totals > 0)
        with np.errstate(all="ignore"):  # what diverges is told by its loss
            for rows, grown, drawn, share in self._batches():
                X, y, weights, task = self.rows.batch(rows)
                found = objective.gradients(
                    variables, self.gradients, X, y, weights, task, grown, drawn * rates, share, self._dropping
                )
                if not np.isfinite(found).all():
                    return False
                before = None if frozen is None else variables.copy().flat
                self.optimizer.step(variables, self.gradients, self.rate, share * objective.down)
                if frozen is not None:
                    variables.flat[...] = variables.xp.where(frozen, before, variables.flat)
                sums += found
                if not whole:
                    counts += _by_task(self.rows, weights)
            self._record(sums / np.where(counts > 0, counts, np.nan))
        return np.isfinite(self.progress.objectives[-1])

    def _frozen(self, rates):
        """Mask of the entries that stay where they are: those only tasks of rate 0 have. None: there are none."""
        if (rates > 0).all():
            return None
        mask = self.objective.network.own_entries(self.variables, np.flatnonzero(rates == 0))
        return self.variables.xp.asarray(mask)

    @property
    def _dropping(self):
        return self.rng if self.objective.network.dropout > 0 else None

    def _batches(self):
        """``(rows, grown, drawn, share of the penalties)`` of an epoch; see `Objective.gradients`."""
        size, everyone = self.settings.batch_size, np.ones(self.rows.n_tasks)
        if self.settings.schedule == "joint":
            order = self.rng.permutation(self.train) if self.settings.shuffle else self.train
            size = min(200, len(order)) if size == "auto" else min(size, len(order))
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                yield rows, len(order) / len(rows) / self.kept, everyone, 1.0
            return
        counts = np.array([len(rows) for rows in self.of_task])
        chances = self._chances(counts > 0)
        active = int(np.count_nonzero(chances))
        size = min(200, int(np.ceil(counts.sum() / active))) if size == "auto" else size
        for t in self.rng.choice(len(counts), int(np.ceil(counts.sum() / size)), p=chances):
            rows = self.rng.permutation(self.of_task[t])[:size]
            only = np.eye(len(counts))[t]
            # the same objective in expectation, whichever tasks are drawn how often
            yield rows, only * counts[t] / len(rows) / self.kept, only / (active * chances[t]), 1 / active

    def _chances(self, present):
        """How often each task is drawn."""
        weights = present * (self.rows.totals * self.kept if self.settings.schedule == "proportional" else 1.0)
        return weights / weights.sum()

    # -- progress --------------------------------------------------------------------------------------------------

    @staticmethod
    def parts(rows):
        """Positions of rows, as many at a time as one forward pass takes."""
        return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]

    def means(self, rows, shares):
        """Mean loss of every task over some rows, NaN where there are none."""
        sums = np.zeros(self.rows.n_tasks)
        for part in self.parts(rows):
            sums += self.objective.task_losses(self.variables, *self.rows.batch(part))
        return sums / shares

    def _record(self, means):
        progress = self.progress
        # a task that no batch drew keeps what it had
        progress.losses.append(np.where(np.isnan(means) & bool(progress.losses), _last(progress.losses, means), means))
        filled = np.where(np.isnan(progress.losses[-1]), 0.0, progress.losses[-1])
        progress.objectives.append(self.objective.value(self.variables, filled))
        if len(self.held_out):
            progress.validation.append(self.means(self.held_out, self.held))

    def _finished(self):
        """Whether to stop; keeps the best state, and slows tasks that have stopped improving."""
        progress, settings = self.progress, self.settings
        by_task = progress.validation[-1] if self.validated else progress.losses[-1]
        now = self._total(by_task) if self.validated else progress.objectives[-1]
        progress.idle = 0 if now < progress.least - self.tol else progress.idle + 1
        if now < progress.least:
            progress.least, progress.best = now, self.variables.copy().flat
        self._watch_tasks(by_task)
        if settings.early_stopping == "per_task":
            return not (progress.rates[self.main & ~np.isnan(self.held)] > 0).any()
        if progress.idle < settings.n_iter_no_change:
            return False
        if settings.learning_rate == "adaptive" and self.rate > LEAST_RATE:
            self.rate *= FALLING
            progress.idle = 0
            return False
        return settings.learning_rate != "cosine" or self.validated

    def _watch_tasks(self, by_task):
        progress, settings = self.progress, self.settings
        better = by_task < progress.lowest - self.tol
        progress.lowest = np.fmin(progress.lowest, by_task)
        progress.still = np.where(better, 0, progress.still + 1)
        tired = (progress.still >= settings.n_iter_no_change) & (progress.rates > 0) & ~np.isnan(by_task)
        if settings.early_stopping == "per_task":
            progress.rates = np.where(tired, 0.0, progress.rates)
        elif isinstance(settings.task_learning_rate, str):
            progress.rates = np.where(tired, np.maximum(ADAPTIVE * progress.rates, SLOWEST), progress.rates)
            progress.still = np.where(tired, 0, progress.still)

    def _total(self, means):
        return float(np.nansum((self.objective.factors * means)[self.main]))

    def restore(self):
        """Go back to the best state."""
        if self.progress.best is not None:
            self.variables.flat[...] = self.progress.best

    def _diverged(self):
        rate = self.settings.learning_rate_init
        if self.progress.best is None:
            raise ValueError(
                f"The loss became infinite or NaN in the first epoch: learning_rate_init={rate:g} is too large, or "
                "features or labels are of very different sizes (standardize=True scales the features)."
            )
        warnings.warn(
            f"The loss became infinite or NaN after {len(self.progress.losses)} epochs: the net has the best state "
            f"before. Give a smaller learning_rate_init than {rate:g}.",
            ConvergenceWarning,
            stacklevel=5,
        )
        self.restore()
        return True

    def _report(self):
        if self.settings.verbose:
            progress = self.progress
            held_out = f", validation {self._total(progress.validation[-1]):.6g}" if progress.validation else ""
            print(f"epoch {len(progress.losses)}: objective {progress.objectives[-1]:.6g}{held_out}")


def _by_task(rows, weights):
    """Sums of a batch's weights over each task's first label."""
    return to_host(rows.xp.sum(weights, axis=0, dtype=rows.xp.float64))[rows.first[:-1]]


def _last(curve, means):
    return curve[-1] if curve else means
