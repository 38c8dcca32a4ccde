"""A comparison as one HTML page that needs no network: scores, gains, what is shared, and how it was found."""

from mtlreg.report._page import write_report

__all__ = ["write_report"]
