"""Typical wrong kernels of softmax: ours, with one place changed."""
from kernels.softmax import (
    softmax_backward_kernel,
    softmax_forward_kernel,
    softmax_online_backward_kernel,
    softmax_online_forward_kernel,
)
from mistakes import instead


@instead(softmax_forward_kernel, 'other=-float("inf")', "other=0.0")
def padding_is_zero():
    """the padding of the tile is 0, which has a weight: exp(0) = 1; other must be -inf"""


@instead(softmax_forward_kernel, ', other=-float("inf")', "")
def load_without_other():
    """the load has a mask and no `other`: what the masked lanes hold is anything"""


@instead(softmax_forward_kernel, "y.to(y_ptr.dtype.element_ty), mask=inside", "y.to(y_ptr.dtype.element_ty)")
def store_without_mask():
    """the store has no mask: it writes behind the end of each row"""


@instead(softmax_forward_kernel, "tl.exp(x - m[:, None])", "tl.exp(x)")
def maximum_not_subtracted():
    """the maximum is not subtracted: exp overflows for large scores (equation 1)"""


@instead(softmax_forward_kernel, 'tl.where(m == -float("inf"), 0.0, m)', "m")
def impossible_row_is_nan():
    """a row of -inf gives NaN: -inf - (-inf) is not a number"""


@instead(softmax_forward_kernel, "tl.max(x, axis=1) ", "tl.zeros((ROWS,), tl.float32) + tl.max(x) ")
def one_maximum_for_the_tile():
    """one maximum for all rows of the tile: rows far below it become 0 (axis=1)"""


@instead(softmax_forward_kernel, "tl.sum(e, axis=1)", "tl.zeros((ROWS,), tl.float32) + tl.sum(e)")
def one_sum_for_the_tile():
    """one sum for all rows of the tile: each row has its own (axis=1)"""


@instead(softmax_forward_kernel, "tl.program_id(0).to(tl.int64)", "tl.program_id(0)")
def offset_in_32_bits():
    """the row number is multiplied in 32 bits, and overflows in large arrays"""


@instead(softmax_forward_kernel, "tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)",
         "tl.arange(0, ROWS).to(tl.int64)")
def every_program_does_the_first_rows():
    """every program begins at row 0: the program's number is missing"""


@instead(softmax_backward_kernel, "tl.sum(dy * y, axis=1)", "tl.sum(dy, axis=1)")
def inner_product_without_y():
    """dy is not multiplied by y in the sum of equation 4"""


@instead(softmax_backward_kernel, "tl.store(dx_ptr + place", "tl.store(y_ptr + place")
def written_over_y():
    """it is written over y, which others still need, and not into dx"""


@instead(softmax_online_forward_kernel, "l = l * tl.exp(m - shift) +", "l = l +")
def sum_not_rescaled():
    """the sum is not rescaled when the maximum grows (equation 2)"""


@instead(softmax_online_forward_kernel, 'tl.where(m_new == -float("inf"), 0.0, m_new)', "m_new")
def tile_of_minus_infinity_is_nan():
    """a first tile of -inf makes the whole row NaN: exp(-inf - (-inf))"""


@instead(softmax_online_forward_kernel, "m_new = tl.maximum(m, tl.max(x, axis=0))",
         "x = tl.where(column < N, x, 0.0); m_new = tl.maximum(m, tl.max(x, axis=0))")
def tail_adds_exp_of_zero():
    """the tail of the last tile adds exp(0) for each place behind the end"""


@instead(softmax_online_forward_kernel, "tl.program_id(0).to(tl.int64) * N", "tl.program_id(0) * N")
def long_row_in_32_bits():
    """the place of a row is computed in 32 bits, and overflows in large arrays"""


@instead(softmax_online_backward_kernel, "inner += tl.sum", "inner = tl.sum")
def inner_product_of_the_last_tile():
    """each tile replaces the sum of dy y; it runs over the whole row (equation 4)"""


@instead(softmax_online_backward_kernel, "tl.program_id(0).to(tl.int64) * N", "tl.program_id(0) * N")
def gradient_of_a_long_row_in_32_bits():
    """the place of a row of the gradient is computed in 32 bits, and overflows in large arrays"""
