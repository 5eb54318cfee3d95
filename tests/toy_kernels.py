"""A tiled function and its three kernels, for the tests of what draws them."""
import pytest

from minigpt import listing

TILED = '''
def toy_forward(x, *, COLUMNS=2):
    """Take the maximum off, tile by tile.

        y = x - max(x)
        (1) m <- max(m, max_j x_j)            (j: over the tile)
        (2) y_i = x_i - m

    x: (M, N)
    """
    y = np.empty_like(x)
    for row in range(len(x)):                 # a program each
        m = -np.inf
        for start in range(0, N, COLUMNS):
            x_tile = x[row, start:start + COLUMNS]
            m = max(m, x_tile.max())          # (1)
        y[row] = x[row] - m                   # (2)
    return y, y


def toy_backward(dy, cache):
    """Gradient.

        dx = dy - sum(dy) y
        (3) a = sum_i dy_i
        (4) ∂y_i / ∂x_j = 1[i = j]            (but for the largest)
        (5) dx_j = dy_j - a y_j
        (6) dz_j = a dy_j

    dy: (M, N)
    """
    a = dy.sum()                              # (3)
    memory.store("a", a)
    m = max(m, cache.max())                   # (1)
    dz = a * dy                               # (6)
    dx = dy - a * cache                       # (5)
    return dx, dz
'''
FORWARD = '''
import a_compiler_that_is_not_installed as triton


@triton.jit
def load_tile(ptr):
    return tl.load(ptr)


@triton.jit
def toy_forward_kernel(
    x_ptr,              # (M, N) scores
    N,
    COLUMNS: tl.constexpr,
):
    """Equations (1) and (2)."""
    row = tl.program_id(0)
    m = -float("inf")
    for start in range(0, N, COLUMNS):
        x = load_tile(x_ptr + row * N + start)
        m = tl.maximum(m, tl.max(x))          # (1)
    tl.store(y_ptr, x - m)                    # (2)
'''
BACKWARD = '''
@triton.jit
def toy_backward_sum_kernel(dy_ptr, a_ptr):
    a = tl.sum(tl.load(dy_ptr))               # (3)
    tl.store(a_ptr, a)


@triton.jit
def toy_backward_dx_kernel(dy_ptr, a_ptr, dx_ptr):
    m = tl.maximum(m, tl.max(x))              # (1)
    dz = a * dy                               # (6)
    dx = dy - a * y                           # (5)
'''


@pytest.fixture
def toy_kernels(tmp_path, monkeypatch):
    """A package of one tiled function and its three kernels, that stands in for ours."""
    for path, text in (("minigpt/reference/tiled/toy.py", TILED), ("kernels/toy.py", FORWARD),
                       ("kernels/toy_backward.py", BACKWARD)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(listing, "ROOT", tmp_path)
    return tmp_path
