"""Stand-ins for what is on a GPU: arrays as unwilling as CuPy's, and sparse matrices with little more than cupyx's."""

import sys
from types import SimpleNamespace

import array_api_strict
import numpy as np
from scipy import sparse

ARRAY = type(array_api_strict.asarray(0.0))


def refuse_conversion(monkeypatch):
    """Make arrays of array_api_strict as unwilling as CuPy's: ``get()`` is the only way to NumPy."""
    convert = ARRAY.__array__

    def unless_its_own(self, dtype=None, copy=None):
        if "array_api_strict" in sys._getframe(1).f_code.co_filename:
            return convert(self, dtype, copy=copy)
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def mixed(self, ufunc, method, *inputs, **settings):
        if all(a is self or isinstance(a, np.generic | int | float) for a in inputs) and method == "__call__":
            return NotImplemented
        raise TypeError(f"Unsupported type numpy.ndarray in {ufunc}.")

    def no_buffer(self, flags):
        raise TypeError("no buffer")

    monkeypatch.setattr(ARRAY, "get", lambda self: np.array(self._array), raising=False)
    monkeypatch.setattr(ARRAY, "__array__", unless_its_own)
    monkeypatch.setattr(ARRAY, "__array_ufunc__", mixed, raising=False)
    if hasattr(ARRAY, "__buffer__"):
        monkeypatch.setattr(ARRAY, "__buffer__", no_buffer)


class Compressed:
    """A sparse matrix elsewhere: products with arrays there, a few ways of indexing, and `get`."""

    def __init__(self, source, shape=None, copy=False):
        if isinstance(source, tuple):
            assert all(isinstance(a, self.array) for a in source)
            source = tuple(self.unwrap(a) for a in source)
        elif not sparse.issparse(source):
            raise ValueError("Unsupported initializer format")
        self._matrix = self.of_scipy(source, shape=shape, copy=True)

    def _like(self, matrix):
        return self.kinds[matrix.format](matrix)

    format = property(lambda self: self._matrix.format)
    shape = property(lambda self: self._matrix.shape)
    nnz = property(lambda self: self._matrix.nnz)
    dtype = property(lambda self: self.data.dtype)
    data = property(lambda self: self.wrap(self._matrix.data))
    indices = property(lambda self: self.wrap(self._matrix.indices))
    indptr = property(lambda self: self.wrap(self._matrix.indptr))
    T = property(lambda self: self._like(self._matrix.T))

    def __matmul__(self, other):
        if not isinstance(other, self.array):
            return NotImplemented
        return self.wrap(np.asfortranarray(self._matrix @ self.unwrap(other)))

    def __getitem__(self, index):
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        assert any(isinstance(a, slice) and a == slice(None) for a in (rows, columns))
        return self._like(self._matrix[rows, self.unwrap(columns) if isinstance(columns, self.array) else columns])

    def get(self):
        return self._matrix.copy()

    def toarray(self):
        return self.wrap(self._matrix.toarray())

    def tocsr(self):
        return self._like(self._matrix.tocsr())

    def multiply(self, other):
        if not isinstance(other, self.kinds["csr"]):
            raise TypeError("expected scalar, dense matrix/vector or csr matrix")
        return self._like(self._matrix.tocsr().multiply(other._matrix).tocsr())

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


def compressed(array, wrap, unwrap):
    """``csr_matrix, csc_matrix, issparse`` beside a type of arrays, given the ways from and to NumPy's."""

    class Family(Compressed):
        pass

    class csr_matrix(Family):  # noqa: N801
        of_scipy = sparse.csr_matrix

    class csc_matrix(Family):  # noqa: N801
        of_scipy = sparse.csc_matrix

    Family.array, Family.wrap, Family.unwrap = array, staticmethod(wrap), staticmethod(unwrap)
    Family.kinds = {"csr": csr_matrix, "csc": csc_matrix}
    return csr_matrix, csc_matrix, lambda X: isinstance(X, Family)


def pretend_gpu(monkeypatch):
    """Let ``device="cuda"`` copy to arrays of array_api_strict, and to matrices of this module."""
    refuse_conversion(monkeypatch)
    runtime = SimpleNamespace(getDeviceCount=lambda: 1)
    csr_matrix, csc_matrix, issparse = compressed(ARRAY, array_api_strict.asarray, ARRAY.get)
    matrices = SimpleNamespace(csr_matrix=csr_matrix, csc_matrix=csc_matrix, issparse=issparse)
    modules = {
        "cupy": SimpleNamespace(
            ndarray=type("ndarray", (), {}),
            generic=type("generic", (), {}),
            cuda=SimpleNamespace(runtime=runtime),
            asarray=array_api_strict.asarray,
        ),
        "cupyx": SimpleNamespace(scipy=SimpleNamespace(sparse=matrices)),
        "cupyx.scipy": SimpleNamespace(sparse=matrices),
        "cupyx.scipy.sparse": matrices,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
