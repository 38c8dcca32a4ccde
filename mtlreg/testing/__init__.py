"""Checks for those who add a loss, penalty, design or solver of their own.

Every check raises an AssertionError that says what is wrong, and needs nothing but NumPy (and
``array_api_strict`` where it is installed). The package's own tests run them over all it exports.
"""

from mtlreg.testing._designs import check_design
from mtlreg.testing._losses import check_loss
from mtlreg.testing._penalties import check_penalty
from mtlreg.testing._solvers import check_solver, sample_problem

__all__ = ["check_design", "check_loss", "check_penalty", "check_solver", "sample_problem"]
