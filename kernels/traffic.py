"""What each kernel must move and compute, in closed form: bytes for each launch, FLOPs of matrix products.

The sanitizer counts the same in the interpreter, and tests/ hold the two equal. Bytes are what programs ask for; a
cache may spare a GPU some of them. itemsize: bytes of an element.
"""
from kernels._backend import Work


def softmax_forward(M, N, itemsize, *, one_tile=True):
    """M rows of N: x in and y out; x twice if a row does not stay on chip."""
    passes = 1 if one_tile else 2
    return Work(f"{M} rows of {N}", passes * M * N * itemsize, M * N * itemsize, 0, 0)


def softmax_backward(M, N, itemsize, *, one_tile=True):
    """M rows of N: dy and y in, dx out; dy and y twice if a row does not stay on chip."""
    passes = 1 if one_tile else 2
    return Work(f"{M} rows of {N}", 2 * passes * M * N * itemsize, M * N * itemsize, 0, 0)
