"""CSV files as data frames."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path

from mtlreg.cli._checks import InputError, listed

__all__ = ["column_kind", "need_pandas", "read_names", "read_rows"]

SAMPLE = 1000  # rows looked at for ragged lines: with `usecols` pandas is silent about them


def need_pandas():
    """pandas, or an error that says how to get it."""
    try:
        import pandas
    except ImportError:
        raise InputError('Reading a CSV file needs pandas: pip install "mtlreg[data]"') from None
    return pandas


def read_names(path):
    """Names of the columns of a CSV file; those without a name are left out.

    Returns
    -------
    names : list of str
    notes : list of str
        What was left out.

    Raises
    ------
    InputError
        No such file, no CSV file, an empty one, lines of different length, or a name twice.
    """
    first = _read(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = first.iloc[0].tolist()
    given = [name for name in names if name.strip()]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise InputError(f"{path} has more than one column {listed(twice)}: give each a name of its own.")
    sample = _read(path, nrows=SAMPLE, low_memory=False)
    separator = next((s for s in (";", "\t", "|") if len(names) == 1 and s in names[0]), None)
    if separator:
        raise InputError(f"{path} seems to be separated by {separator!r}: save it with commas.")
    if not len(sample):
        raise InputError(f"{path} has no rows below its header.")
    nameless = [k + 1 for k, name in enumerate(names) if not name.strip()]
    text = f"Columns without a name are left out (at position {', '.join(map(str, nameless))})."
    return given, [text] if nameless else []


def read_rows(path, columns, *, texts=()):
    """Columns of a CSV file as a data frame; empty cells are missing.

    Parameters
    ----------
    path : str
    columns : list of str
        Names of those to read.
    texts : sequence of str, default=()
        Columns to read as text whatever they look like, so that 007 stays 007.
    """
    dtype = {name: str for name in texts}
    return _read(path, usecols=list(columns), dtype=dtype, low_memory=False)[list(columns)]


def _read(path, **how):
    """`pandas.read_csv`, with what goes wrong as `InputError`."""
    pd = need_pandas()
    if not Path(path).is_file():  # pandas would take an address on the internet
        raise InputError(f"{path} {'is a folder' if Path(path).is_dir() else 'is not there'}: give a CSV file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, index_col=False, **how)
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty: it needs a line with the names of the columns, and rows.") from None
    except pd.errors.ParserWarning:
        raise InputError(f"{path} has rows with more cells than its header: give every column a name.") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ParserError and UnicodeDecodeError are ValueErrors
        reason = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path} cannot be read as a CSV file in UTF-8: {reason}") from None


def column_kind(column):
    """ "number", "bool" or "text": what the cells of a column are, empty ones aside."""
    pd = need_pandas()
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    return "bool" if column.dropna().map(type).eq(bool).all() else "text"
