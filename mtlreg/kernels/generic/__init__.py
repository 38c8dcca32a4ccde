"""Array-API reference kernels."""

from mtlreg.kernels.generic.rows import *  # noqa: F403
