"""What a study is, and the file its results are written to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import environment, sections_of

__all__ = ["Outcome", "Study", "write"]

HEADING = "# Statistical evidence"
EXPLANATION = """\
Synthetic data, seeded. Each section is made by its command, which also draws the figure, and only its section is
replaced. Verdicts follow from 95 % intervals, not corrected for their number: "holds" where the interval lies on the
claimed side of 0, "does not hold" where it lies on the other, "open" where it has 0 inside.
"""


@dataclass
class Outcome:
    """What a study found: lines of Markdown, verdicts, and a figure."""

    tables: list
    findings: list = field(default_factory=list)
    draw: Callable | None = None  # () -> matplotlib Figure


@dataclass(frozen=True)
class Study:
    """A section of the results. The texts say what code cannot derive."""

    title: str
    claim: str
    setting: str
    run: Callable  # (quick, n_jobs) -> Outcome


def write(folder, name, study, outcome, command):
    """Put a study's section and figure into ``folder``; returns the section."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"## {study.title}", "", *environment(command), ""]
    lines += [f"**Claim.** {_flat(study.claim)}", "", f"**Setting.** {_flat(study.setting)}", ""]
    lines += [*(f"* {finding}" for finding in outcome.findings), ""]
    if outcome.draw is not None:
        outcome.draw().savefig(folder / f"{name}.png", dpi=90, metadata={"Software": None})
        lines += [f"![{study.title}]({name}.png)", ""]
    section = "\n".join([*lines, *outcome.tables]).rstrip() + "\n"
    file = folder / "RESULTS.md"
    sections = sections_of(file.read_text()) if file.exists() else {}
    sections[study.title] = section
    file.write_text("\n".join([f"{HEADING}\n", EXPLANATION, *sections.values()]))
    return section


def _flat(text):
    return " ".join(text.split())
