"""Products with rows of tasks on the CPU: those of `mtlreg.kernels.generic.stacked`, which are NumPy's, of BLAS."""

from mtlreg.kernels.generic.stacked import pair_sums, stacked_adjoint, stacked_pair_sums, stacked_product

__all__ = ["pair_sums", "stacked_adjoint", "stacked_pair_sums", "stacked_product"]
