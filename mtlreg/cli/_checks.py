"""What the commands refuse before they start to work, in words that name the culprit and the remedy."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

__all__ = ["InputError", "check_columns", "check_outputs", "did_you_mean", "listed"]


class InputError(Exception):
    """An input that a command does not take; the message is one line for the user."""


def listed(names, most=8):
    """Names in quotes, with commas; the first of them where there are many."""
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more


def did_you_mean(name, names):
    """The closest of the names there are, or all of them."""
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower().strip(), lowered, n=1)
    return f"did you mean '{lowered[close[0]]}'?" if close else f"there are {listed(names)}."


def check_columns(wanted, names, option, path):
    """Columns that an option names are there, each once."""
    for name in wanted:
        if name not in names:
            raise InputError(f"{option}: {path} has no column '{name}'; {did_you_mean(name, names)}")
        if wanted.count(name) > 1:
            raise InputError(f"{option} names column '{name}' twice: once is enough.")


def check_outputs(outputs, inputs):
    """Files can be written where the options say, and none is an input or another output.

    Parameters
    ----------
    outputs : dict
        Path, or None, by option.
    inputs : list of str
    """
    taken = {Path(path).resolve(): "is what is read" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        file = Path(path)
        if file.is_dir():
            raise InputError(f"{option} {path} is a folder: give the name of a file.")
        if not file.parent.is_dir():
            raise InputError(f"{option} {path}: there is no folder '{file.parent}'. Make it first, or write elsewhere.")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise InputError(f"{option} {path} cannot be written: no permission. Write elsewhere.")
        if file.resolve() in taken:
            raise InputError(f"{option} {path} {taken[file.resolve()]}: give another name.")
        taken[file.resolve()] = f"is written by {option}"
