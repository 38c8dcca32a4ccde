"""``python -m mtlreg compare`` and ``python -m mtlreg predict``: CSV files in, a table or predictions out."""

from __future__ import annotations

import os
import shlex
import sys

from mtlreg.cli import _compare, _predict
from mtlreg.cli._checks import InputError

__all__ = ["COMMANDS", "InputError", "run_command"]

COMMANDS = {"compare": _compare, "predict": _predict}


def run_command(name, argv):
    """Run a command of ``COMMANDS``.

    Parameters
    ----------
    name : str
    argv : list of str
        What follows the name on the command line.

    Returns
    -------
    status : int
        0; 2 where the input is refused, with one line on stderr; 130 after an interrupt.
    """
    command = COMMANDS[name]
    args = command.parser().parse_args(argv)
    args.command_line = shlex.join(["python", "-m", "mtlreg", name, *argv])
    try:
        command.run(args)
    except InputError as error:
        print(f"python -m mtlreg {name}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted. {command.kept(args)}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of stdout, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
