"""Columns of a file as the numbers that a model takes, in the same way when it is trained and when it predicts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import OneHotEncoder

from mtlreg.cli._checks import InputError, listed
from mtlreg.cli._read import column_kind, need_pandas

__all__ = ["Features"]

MAX_LEVELS = 50
LARGE = 2e7  # cells from which on features are float32

_DATES = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?"  # 2024-03-01, 2024-03-01 12:00
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})( .*)?"  # 1.3.2024
    r"|\d{1,2}:\d{2}(:\d{2})?"  # 12:00
    r"|\d{1,2}\.?[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Z][a-z]{2,8} \d{1,2},? \d{4}"  # 1 March 2024, March 1, 2024
)


@dataclass
class Features:
    """How columns become numbers.

    Attributes
    ----------
    numbers : list of str
        Columns of numbers, and of true and false.
    texts : list of str
        Columns of text, one indicator for each level.
    encoder : OneHotEncoder or None
        For ``texts``.
    medians : dict or None
        What an empty cell of ``numbers`` is replaced with; None refuses empty cells.
    """

    numbers: list
    texts: list
    encoder: OneHotEncoder | None = None
    medians: dict | None = None

    @property
    def columns(self):
        """All columns that are read."""
        return [*self.numbers, *self.texts]

    @classmethod
    def learn(cls, frame, impute=False):
        """From the columns of a data frame.

        Returns
        -------
        features : Features
        notes : list of str

        Raises
        ------
        InputError
            Dates, text with many levels, columns without a value, empty cells unless ``impute``.
        """
        kinds = {name: column_kind(frame[name]) for name in frame.columns}
        texts = [name for name, kind in kinds.items() if kind == "text"]
        self = cls([name for name, kind in kinds.items() if kind != "text"], texts)
        _refuse(frame, [name for name in kinds if frame[name].isna().all()], "no value at all", "leave it out with")
        dates = [name for name in texts if _is_date(frame[name])]
        _refuse(frame, dates, "dates or times", "turn it into numbers (days since a day), or leave it out with")
        for name in texts:
            if frame[name].nunique() > MAX_LEVELS:
                raise InputError(_many_levels(frame[name]))
        empty = [name for name in frame.columns if frame[name].isna().any()]
        if empty and not impute:
            raise InputError(_empty_cells(frame, empty, f"leave columns out with --exclude, or give {_IMPUTE}."))
        notes = self._learn_texts(frame)
        if impute:
            self.medians = {name: float(np.nanmedian(_as_floats(frame[name]))) for name in self.numbers}
        if empty:
            notes.append(
                f"Empty cells of {listed(empty)}: numbers become the median of their column over all rows, those that "
                "test included; text becomes no level."
            )
        return self, notes

    def _learn_texts(self, frame):
        if not self.texts:
            return []
        levels = [sorted(frame[name].dropna().unique().tolist()) for name in self.texts]
        self.encoder = OneHotEncoder(
            categories=[np.array(found, dtype=object) for found in levels],
            handle_unknown="ignore",
            sparse_output=False,
        ).fit(_as_texts(frame[self.texts]))
        return [
            f"Column '{name}' is text with {len(found)} levels: {len(found)} indicators."
            for name, found in zip(self.texts, levels, strict=True)
        ]

    def table(self, frame):
        """The numbers, as a data frame with names; float32 where they are many.

        Raises
        ------
        InputError
            Text where numbers were, an infinite value, or empty cells where there were none.
        """
        empty = [name for name in self.columns if frame[name].isna().any()]
        if empty and self.medians is None:
            raise InputError(_empty_cells(frame, empty, f"train the model with {_IMPUTE}."))
        indicators = [] if self.encoder is None else self.encoder.get_feature_names_out(self.texts).tolist()
        names = [*self.numbers, *indicators]
        # Fortran order: data frames hold columns, and this one is taken as it is
        X = np.empty((len(frame), len(names)), self.dtype(len(frame)), order="F")
        for j, name in enumerate(self.numbers):
            column = _as_floats(frame[name])
            if name in empty:
                column = np.where(np.isnan(column), self.medians[name], column)
            X[:, j] = column
            if not np.isfinite(X[:, j]).all():
                row = np.flatnonzero(~np.isfinite(X[:, j]))[0] + 1
                raise InputError(f"Column '{name}' holds an infinite value in row {row}: mend it, or use --exclude.")
        if self.texts:
            X[:, len(self.numbers) :] = self.encoder.transform(_as_texts(frame[self.texts]))
        return need_pandas().DataFrame(X, columns=names, copy=False)

    def dtype(self, n_rows):
        """float32 for large tables, else float64."""
        n_levels = 0 if self.encoder is None else sum(map(len, self.encoder.categories_))
        return np.float32 if n_rows * (len(self.numbers) + n_levels) > LARGE else np.float64

    def new_levels(self, frame):
        """Levels by column that were not there in training; their indicators are all zero."""
        known = {} if self.encoder is None else zip(self.texts, self.encoder.categories_, strict=True)
        found = {name: sorted(set(frame[name].dropna()) - set(levels)) for name, levels in known} if known else {}
        return {name: levels for name, levels in found.items() if levels}


_IMPUTE = "--impute median"


def _refuse(frame, names, what, remedy):
    if names:
        example = frame[names[0]].dropna()
        example = f", such as {example.iloc[0]!r}" if len(example) else ""
        subject = f"Column {listed(names)} holds" if len(names) == 1 else f"Columns {listed(names)} hold"
        remedy = remedy if len(names) == 1 else remedy.replace(" it ", " them ")
        raise InputError(f"{subject} {what}{example}: {remedy} --exclude {','.join(names)}")


def _empty_cells(frame, names, remedy):
    counts = ", ".join(f"'{name}' ({frame[name].isna().sum()})" for name in names[:8])
    more = f", ... ({len(names)} columns)" if len(names) > 8 else ""
    return f"Features have empty cells: {counts}{more}. Fill them in, {remedy}"


def _is_date(column):
    values = column.dropna().head(20)
    return len(values) > 0 and all(_DATES.fullmatch(value.strip()) for value in values)


def _many_levels(column):
    pd = need_pandas()
    values = column.dropna()
    odd = values[pd.to_numeric(values, errors="coerce").isna()]
    if len(odd) < len(values) / 2:  # numbers but for a few cells
        text = f"is text because of cells such as {odd.iloc[0]!r} in row {odd.index[0] + 1}: mend them"
    else:
        text = f"is text with {values.nunique()} levels (at most {MAX_LEVELS}): group them"
    return f"Column '{column.name}' {text}, or leave it out with --exclude {column.name}"


def _as_floats(column):
    """Cells as floats, NaN where empty."""
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        odd = next(k for k, value in enumerate(column) if isinstance(value, str) and not _is_number(value))
        raise InputError(
            f"Column '{column.name}' held numbers in training, and {column.iloc[odd]!r} here in row {odd + 1}: mend it."
        ) from None


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_texts(frame):
    """Cells as an array of str, "" where empty, which is no level."""
    return frame.astype(object).where(frame.notna(), "").to_numpy(dtype=object)
