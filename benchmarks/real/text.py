"""Markdown of the comparisons: tables, and sentences that follow from their numbers."""

import numpy as np

from benchmarks.real.figures import gain, verdict
from benchmarks.report import environment, sections_of, table

__all__ = ["report", "section"]

EXPLANATION = """\
Each section is made by its command; a later run of it replaces the section.

Every model's strength is chosen by cross-validation inside the training part (`mtlreg.compare`). `independent` is a
lasso for each task, `pooled` one model that does not know the task, `pooled_intercepts` the same slopes for all tasks
with a free intercept for each: the yardstick that multi-task figures often leave out.

Gains are means over the splits, positive where the model is better, with their 95 % interval: paired over the splits,
a t interval. Where training parts overlap (folds, 75/25 splits) it is widened for that (Nadeau & Bengio, 2003);
where they are small random draws it is the plain one, and speaks of such draws from these rows. "Beat" and "worse"
are said of intervals that exclude 0, not corrected for the number of models. Helped / unchanged / hurt: tasks whose own
score is better than under `independent` by more than 0.005, within that, or worse. Seconds: search and fit, all splits,
wall time on a shared machine: no benchmark of speed. Gap: the largest certified gap relative to the objective at zero.
""".splitlines()


def report(sections, order, old=""):
    """The whole text: new sections by title in place of the old ones, in the order of titles."""
    found = sections_of(old) | sections
    known = [title for title in order if title in found]
    return "\n".join(["# Real data", "", *EXPLANATION, "", *(found[title] for title in known)])


def section(dataset, pairs, command):
    """The text of one data set; ``pairs`` are its jobs with their comparisons."""
    lines = [f"## {dataset.title}", "", *environment(command), ""]
    lines += [f"**Data.** {dataset.data}", "", f"**Protocol.** {dataset.protocol}"]
    if dataset.reference:
        lines += ["", f"**Reference** (notes that come with the data): {dataset.reference}"]
    if dataset.left_out:
        lines += ["", f"**Left out:** {dataset.left_out}"]
    for job, comparison in pairs:
        lines += ["", f"### {dataset.title}: {job.title}", "", *_scores(job, comparison), ""]
        if len(job.figures) > 1:
            lines += [*_gains(job, comparison), ""]
        lines += _findings(job, comparison)
    return "\n".join(lines) + "\n"


def _names(comparison):
    return [r.name for r in comparison.results]


def _known(job, comparison):
    return [baseline for baseline in job.baselines if baseline in _names(comparison)]


def _scores(job, comparison):
    """One row a model: figures, gains in the first one, tasks, features, seconds, gap."""
    first, baselines = job.figures[0], _known(job, comparison)
    header = ["model", *(f.name for f in job.figures), *(f"{first.name}: over {b}" for b in baselines)]
    header += ["helped / unchanged / hurt", "features", "seconds", "gap"]
    rows = []
    for line, r in zip(comparison.rows(), comparison.results, strict=True):
        figures = [f.mean(r, job) for f in job.figures]
        gains = [_gain_text(job, comparison, first, r.name, b) for b in baselines]
        counts = (
            "-" if len(comparison.tasks) == 1 else " / ".join(str(line[k]) for k in ("helped", "unchanged", "hurt"))
        )
        rows.append([r.name, *figures, *gains, counts, _number(r.features, ".1f"), f"{r.seconds:.1f}"])
        rows[-1].append(_number(r.gap, ".0e"))
    return table(header, rows)


def _gains(job, comparison):
    """Gains over the last baseline in every figure."""
    baseline = _known(job, comparison)[-1]
    rows = [
        [name, *(_gain_text(job, comparison, f, name, baseline) for f in job.figures)]
        for name in _names(comparison)
        if name != baseline
    ]
    return table([f"gain over {baseline}", *(f.name for f in job.figures)], rows)


def _gain_text(job, comparison, figure, name, baseline):
    if name == baseline:
        return "-"
    mean, low, high = gain(comparison, job, figure, name, baseline)
    places = figure.decimals
    interval = "" if np.isnan(low) else f" [{low:+.{places}f}, {high:+.{places}f}]"
    return f"{mean:+.{places}f}{interval}"


def _number(value, form):
    return "-" if np.isnan(value) else format(value, form)


def _findings(job, comparison):
    """A sentence for the best model of each figure, and one for each baseline it is measured against."""
    lines = []
    for figure in job.figures:
        means = {r.name: np.mean(figure.sign * figure.values(r, job)) for r in comparison.results}
        best = max(means, key=means.get)
        sentences = [f"{best} is best ({figure.mean(comparison[best], job)})"]
        sentences += [_against(job, comparison, figure, baseline) for baseline in _known(job, comparison)]
        lines.append(f"* {figure.name}: {'. '.join(sentences)}.")
    return lines


def _against(job, comparison, figure, baseline):
    """Who beats a baseline, by the intervals."""
    others = [name for name in _names(comparison) if name != baseline]
    found = {name: verdict(gain(comparison, job, figure, name, baseline)) for name in others}
    if len(job.splits) == 1:
        return f"One split: nothing is said of gains over {baseline}"
    words = {"better": f"Beat {baseline}", "open": "not shown to differ", "worse": "worse"}
    parts = [
        f"{text}: {', '.join(name for name in others if found[name] == key) or 'none'}" for key, text in words.items()
    ]
    return "; ".join(parts)
