"""A table, and a way to run the commands on it."""

from types import SimpleNamespace

import pytest
from cli_table import make_table

from mtlreg.__main__ import main


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, table):
    """Run a command in a folder with ``t.csv``; the status and what was printed."""
    monkeypatch.chdir(tmp_path)
    table.to_csv("t.csv", index=False)

    def command(*argv):
        try:
            status = main([str(a) for a in argv])
        except SystemExit as error:  # argparse
            status = error.code
        printed = capsys.readouterr()
        return SimpleNamespace(status=status, out=printed.out, err=printed.err)

    return command
