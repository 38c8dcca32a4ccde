"""Markdown of what was measured and on what."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.certify import FAMILIES

__all__ = ["BOUND", "details", "environment", "overview", "report", "sections_of", "table"]

EXPLANATION = [
    "Cells: CPU seconds to a certified relative gap of 1e-4 / 1e-6 / 1e-8, compiled code warm, median of the repeats.",
    "`>t@g`: a solve was stopped after t seconds, g being the best gap until then. `-@g`: every tolerance was tried, g",
    "being the best gap. Ratio: best other peer over mtlreg, in CPU seconds of one round: median (least, most).",
]
BOUND = [
    "Above the bound: how far the objective is above the best dual bound that any W of the row gave, relative to that",
    "of W = 0. Where it is far below the gap, W was better than its own residual could prove.",
]
FIRST_CALLS = [
    "Wall seconds of the first call in a fresh process / of the same call again. What a package imports or compiles at",
    "its first call is in the first; `import package` is in neither.",
]
DETAILS = ["problem", "alpha_max /", "peer", "quoted for", "its tolerance", "certified gap", "above the bound"]
DETAILS += ["CPU s: median (least, most)", "wall s: median"]


def sections_of(text):
    """The sections of a Markdown text by title."""
    parts = ["## " + part.rstrip() + "\n" for part in ("\n" + text).split("\n## ")[1:]]
    return {part.partition("\n")[0].removeprefix("## "): part for part in parts}


def environment(command, names=()):
    """Lines that say when, where and with what."""
    versions = {name: version(name) for name in ("numpy", "scipy", "numba", "scikit-learn")}
    versions |= {peers.load(p).NAME: peers.load(p).version() for p in names if p != peers.ours}
    versions = {name: number for name, number in versions.items() if number}
    versions = ", ".join(f"{name} {number}" for name, number in versions.items())
    return [
        f"* `{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, one thread",
        f"* {_processor()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        f"* mtlreg {version('mtlreg')} ({_commit()}), {versions}",
    ]


def _processor():
    """Name, visible cores and load of the machine."""
    name = platform.processor() or "unknown processor"
    cores = load = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        name, cores = (models[0] if models else name), f", {len(models) or '?'} cores"
        load = f", load {Path('/proc/loadavg').read_text().split()[0]}"
    return name + cores + load


def _commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "mtlreg") else "")
    except (OSError, subprocess.CalledProcessError):
        return "no repository"


def table(header, rows):
    """Lines of a Markdown table."""
    return [f"| {' | '.join(map(str, line))} |" for line in (header, ["---"] * len(header), *rows)]


def report(comparisons, names, command):
    """The whole text: what it ran on, then for each family times and ratios, details, first calls."""
    lines = ["# Times to a certified gap", "", *environment(command, names), "", *EXPLANATION]
    for family in dict.fromkeys(c.family for c in comparisons):
        chosen = [c for c in comparisons if c.family == family]
        rows = [row for c in chosen for row in c.rows]
        shown = [p for p in names if any(p in row.ladders for row in rows)]
        titles = [peers.load(p).NAME for p in shown]
        lines += ["", f"## {FAMILIES[family].title}", ""]
        lines += overview(rows, shown)
        lines += ["", f"### First calls, {FAMILIES[family].title}", "", *FIRST_CALLS, ""]
        lines += table(["problem", *titles], [_first_calls(c, shown) for c in chosen])
        lines += ["", f"### Details, {FAMILIES[family].title}", "", *BOUND, ""]
        lines += details(rows, shown)
    return "\n".join(lines) + "\n"


def overview(rows, shown):
    """Lines of the table of times and ratios."""
    titles = [peers.load(p).NAME for p in shown]
    return table(["problem", "alpha_max /", *titles, "best peer / mtlreg"], [_overview(row, shown) for row in rows])


def details(rows, shown):
    """Lines of the table of every rung that is quoted."""
    return table(DETAILS, [detail for row in rows for detail in _details(row, shown)])


def _overview(row, shown):
    cells = [" / ".join(_cells(row.ladders[p])) if p in row.ladders else "" for p in shown]
    return [row.label, row.divisor, *cells, _ratios(row)]


def _cells(ladder):
    """Times to each target; once a target is missed, one word for the rest."""
    cells = []
    for target in ladder.targets:
        rung = ladder.reached(target)
        if rung is None:
            ended = "error" if ladder.error else "-" if ladder.stopped is None else f">{ladder.stopped:g}"
            return [*cells, f"{ended}@{_power(ladder.best_gap)}" if ladder.rungs else ended]
        cells.append(f"{median(rung.cpu):.3g}")
    return cells


def _power(number):
    return f"{number:.0e}".replace("e-0", "e-")


def _ratios(row):
    """Ratios at each target, or who reached it; nothing without another peer."""
    if peers.ours not in row.ladders or len(row.ladders) == 1:
        return ""
    cells = []
    for target in row.targets:
        ratios = row.ratios(target)
        mine = row.ladders[peers.ours].reached(target)
        if ratios is not None:
            cells.append(f"{median(ratios):.2g} ({min(ratios):.2g}, {max(ratios):.2g})")
        else:
            others = any(ladder.reached(target) for peer, ladder in row.ladders.items() if peer != peers.ours)
            cells.append("only mtlreg" if mine else "not mtlreg" if others else "none")
    return " / ".join(cells)


def _details(row, shown):
    for peer in shown:
        for rung, targets in row.ladders[peer].counted() if peer in row.ladders else ():
            cpu = f"{median(rung.cpu):.3g} ({min(rung.cpu):.3g}, {max(rung.cpu):.3g})"
            figures = [
                f"{rung.accuracy:.0e}",
                f"{rung.gap:.0e}",
                f"{row.excess(rung):.0e}",
                cpu,
                f"{median(rung.wall):.3g}",
            ]
            yield [row.label, row.divisor, peers.load(peer).NAME, ", ".join(map(_power, targets)), *figures]


def _first_calls(comparison, shown):
    calls = [comparison.first_calls.get(p) for p in shown]
    return [comparison.rows[0].label, *("" if c is None else f"{c[0]:.3g} / {c[1]:.3g}" for c in calls)]
