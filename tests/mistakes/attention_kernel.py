"""Typical wrong kernels of attention: ours, with one place changed."""
# isort: off
from mistakes import instead

import kernels._backend  # noqa: F401  before triton is imported
from kernels import attention_tiles as tiles
from kernels.attention import attention_forward_kernel as forward
from kernels.attention_backward import attention_backward_delta_kernel as delta
from kernels.attention_backward import attention_backward_dkdv_kernel as dkdv
from kernels.attention_backward import attention_backward_dq_kernel as dq
# isort: on


# Running maximum and sum

@instead(forward, "l = a * l + ", "l = l + ")
def sum_not_rescaled():
    """the sum is not scaled down when the maximum rises (equation 5)"""


@instead(forward, "v, a[:, None] * o,", "v, o,")
def output_not_rescaled():
    """the output is not scaled down when the maximum rises (equation 6)"""


@instead(forward, "tl.maximum(m, tl.max(scores, axis=1))", "tl.max(scores, axis=1)")
def maximum_of_the_tile():
    """each tile has its own maximum; it is that of all scores so far (equation 3)"""


@instead(forward, "tl.exp2(scores - finite[:, None])", "tl.exp(scores - finite[:, None])")
def exp_of_scores_in_units_of_log_2():
    """p is exp of scores in units of log 2, which want exp2 (equation 4)"""


@instead(forward, 'tl.where(m_new == -float("inf"), 0.0, m_new)', "m_new")
def first_tile_of_masked_keys_is_nan():
    """as long as every key was masked, -inf is subtracted from -inf: NaN (equation 4)"""


@instead(forward, "tl.where(l == 0.0, 1.0, l)", "l")
def query_without_keys_is_nan():
    """a query that may attend to nothing is divided by its sum, 0 (equation 7)"""


@instead(forward, "m + tl.log2(some)", "m")
def maximum_for_the_log_sum_exp():
    """the backward gets the maximum of the scores; it needs their log-sum-exp (equation 7)"""


@instead(forward, "lse, mask=t < T)", "lse, mask=(t < T) & (l > 0))")
def log_sum_exp_of_queries_without_keys_not_written():
    """the log-sum-exp of a query that may attend to nothing is never written: what is there may be anything"""


# Masks, and the tiles that have them

@instead(forward, 'scores = tl.where(may_attend(t[:, None], s[None, :], T, S, CAUSAL), scores, -float("inf"))',
         "scores = tl.where(may_attend(t[:, None], s[None, :], T, S, CAUSAL), scores, -1e9)")
def never_is_minus_a_billion():
    """hidden scores are -1e9: a query of a tile that may attend to nothing takes the mean of the values (equation 2)"""


@instead(forward, 'scores = tl.where(seen[None, :], scores, -float("inf"))',
         "scores = tl.where(seen[None, :], scores, -1e9)")
def masked_key_is_minus_a_billion():
    """keys that are masked have -1e9: a sequence of nothing else averages its values (equation 2)"""


@instead(forward, 'scores = tl.where(seen[None, :], scores, -float("inf"))',
         'scores = scores + tl.where(seen[None, :], 0.0, -1e9)')
def mask_added():
    """the mask is -1e9 added to the scores: a masked key with a large score is seen all the same (equation 2)"""


@instead(tiles.may_attend, "s <= t + S - T", "s <= t")
def aligned_at_the_top_left():
    """for T != S the causal mask starts top left; the last query sees all (equation 2)"""


@instead(tiles.may_attend, "s <= t + S - T", "s < t + S - T")
def diagonal_excluded():
    """a query does not see its own key; the causal mask includes the diagonal (equation 2)"""


@instead(tiles.may_attend, "(s < S) & (t == t)", "(s >= 0) & (t == t)")
def keys_past_the_end_count():
    """places of the last tile past the last key have score 0, and a weight: exp(0) = 1 (equation 2)"""


@instead(tiles.keys_of, "tl.maximum(t0 + BLOCK_T + S - T, 0)", "tl.maximum(t0 + 1 + S - T, 0)")
def last_tile_not_visited():
    """the keys end with those of the first query of a tile; the later ones see more"""


@instead(tiles.keys_of, "tl.maximum(t0 + BLOCK_T + S - T, 0)", "tl.maximum(t0 + BLOCK_T - 1 + S - T, 0)")
def last_key_not_visited():
    """the keys end one before the last that is seen: it is lost where a tile begins with it"""


@instead(tiles.keys_of, "tl.maximum(t0 + S - T + 1, 0)", "tl.maximum(t0 + BLOCK_T + S - T, 0)")
def diagonal_without_mask():
    """tiles on the diagonal are taken for whole: their queries see the future"""


@instead(tiles.keys_of, "whole = S // BLOCK_S * BLOCK_S", "whole = S")
def tail_without_mask():
    """the last tile of keys is taken for whole also where it is not: reads past the end"""


@instead(tiles.queries_of, "whole = tl.where(s0 + BLOCK_S > S, T, 0)",
         "whole = tl.minimum(s0, T)\n        first = whole")
def backward_ignores_that_it_is_not_causal():
    """without causal the keys collect from the queries behind them only; all queries see them"""


@instead(tiles.queries_of, "first = tl.maximum(s0 + T - S, 0)", "first = tl.minimum(s0, T)")
def first_query_from_the_top_left():
    """for T != S a key collects from query s on; the first to see it is s + T - S"""


@instead(tiles.queries_of, "tl.maximum(s0 + BLOCK_S - 1 + T - S, 0)", "tl.maximum(s0 + T - S, 0)")
def diagonal_without_mask_in_the_backward():
    """tiles on the diagonal are taken for whole: keys collect from queries before them"""


# Widths, heads, strides and addresses

@instead(forward, "tl.full((), D, ACC)", "tl.full((), 64, ACC)")
def width_of_heads_hard_coded():
    """the scores are divided by sqrt(64); it is the width D of a head (equation 1)"""


@instead(forward, "h // (H // G)", "h % G")
def key_heads_interleaved():
    """head h uses key head h % G; neighbours share one: h // (H/G)"""


@instead(dkdv, "for i in range(H // G):", "for i in range(H // G - 1, H // G):")
def only_the_last_head_of_a_group():
    """dk and dv come from the last head of a group; all of them add up (equations 10 and 13)"""


@instead(dkdv, "rows = (b * H + h) * T", "rows = (b * H + h) * tl.cdiv(T, BLOCK_T) * BLOCK_T")
def rows_of_whole_tiles():
    """the rows of a head are taken for a whole number of tiles: wrong for all heads but the first if T is ragged"""


@instead(dkdv, "load_tile(dy_ptr + b * stride_dyb + h * stride_dyh, stride_dyt,",
         "load_tile(dy_ptr + rows * E, E,")
def dy_taken_for_contiguous():
    """dy is read as if it were contiguous; it has strides of its own"""


@instead(forward, "k = load_tile(k_ptr, stride_ks,", "k = load_tile(k_ptr, stride_vs,")
def keys_with_the_stride_of_values():
    """the keys are read with the stride of the values, which may be wider"""


@instead(tiles.load_tile, "row.to(tl.int64)[:, None] * stride", "(row[:, None] * stride).to(tl.int64)")
def cast_after_the_multiplication():
    """the place of a row is made 64 bits wide after the multiplication, when it has overflowed"""


@instead(forward, "b, h = (head // H).to(tl.int64), head % H", "b, h = head // H, head % H")
def sequences_in_32_bits():
    """the place of a sequence is computed in 32 bits, and overflows in large arrays"""


@instead(delta, "(head // H).to(tl.int64), (head % H).to(tl.int64)", "head // H, head % H")
def strided_dy_in_32_bits():
    """the place of a head of dy is computed in 32 bits, and overflows where dy is strided"""


@instead(dkdv, "rows = head.to(tl.int64) * S", "rows = head * S")
def gradients_in_32_bits():
    """the place of dk and dv is computed in 32 bits, and overflows in large arrays"""


@instead(dq, "(head % H).to(tl.int64)", "head % H")
def heads_in_32_bits():
    """the place of a head is computed in 32 bits, and overflows in large arrays"""


@instead(tiles.load_tile, "mask=inside, other=0.0", "mask=inside")
def load_without_other():
    """the load has a mask and no `other`: what the masked lanes hold is anything"""


@instead(tiles.load_tile, "inside = inside & (column[None, :] < WIDTH)", "inside = inside")
def columns_not_masked():
    """columns past the width of a head are read: they belong to the next row"""


@instead(tiles.store_tile, "inside = row[:, None] < N", "inside = row[:, None] < N + ROWS")
def rows_past_the_end_written():
    """a tile past the last row is written all the same: over the next head"""


@instead(delta, "    t = t0 +", "    store_tile(y_ptr + rows * E, dy, t0, T, E, BLOCK_T, BLOCK_E)\n    t = t0 +")
def written_over_y():
    """dy is written over y, which others still need"""


# Gradients

@instead(dkdv, "lse_ptr + rows + t, mask=t < T, other=0.0", "lse_ptr + rows + t, mask=t < T")
def log_sum_exp_without_other():
    """past the last query the log-sum-exp is loaded without `other`: NaN where T is ragged"""


@instead(dkdv, 'tl.where(lse == -float("inf"), 0.0, lse)', "lse")
def gradient_of_queries_without_keys_is_nan():
    """the log-sum-exp of a query that may attend to nothing is -inf, and so are its scores: their difference is NaN"""


@instead(dq, 'lse = tl.where(lse == -float("inf"), 0.0, lse)', "lse = lse")
def dq_of_queries_without_keys_is_nan():
    """dq: the log-sum-exp of a query that may attend to nothing is -inf, and -inf - (-inf) is NaN (equation 9)"""


@instead(dq, "tl.exp2(scores - (lse * log2e)[:, None])", "tl.exp2(scores - lse[:, None])")
def log_sum_exp_in_other_units():
    """dq: the scores are in units of log 2, the log-sum-exp is not: multiply it by log2e (equation 9)"""


@instead(dq, "ds = p * (dp - delta[:, None])", "ds = p * dp")
def delta_not_subtracted():
    """delta is not subtracted: each weight depends on every score of its query (equation 12)"""


@instead(dkdv, "dk / root", "dk")
def dk_not_scaled():
    """dk lacks the 1 / sqrt(D) of equation 13"""


@instead(dq, "dq / root", "dq")
def dq_not_scaled():
    """dq lacks the 1 / sqrt(D) of equation 14"""


@instead(delta, "tl.sum(dy.to(ACC) * y.to(ACC), axis=1)", "tl.sum(dy.to(ACC), axis=1)")
def delta_without_y():
    """delta is the sum of dy; it is that of dy y (equation 8)"""


# Dropout

@instead(tiles.dropout_scale, "tl.full((), 1.0, ACC) / tl.full((), 1.0 - DROPOUT, ACC)", "tl.full((), 1.0, ACC)")
def dropout_not_scaled_up():
    """dropout leaves out weights, but does not scale up the others"""


@instead(tiles.dropout_scale, "t, s, head, 0)", "t, s, 0, 0)")
def all_heads_drop_the_same():
    """the draw does not depend on the head: all heads leave out the same weights"""


@instead(dkdv, "t[None, :], s[:, None], DROPOUT", "s[:, None], t[None, :], DROPOUT")
def other_weights_dropped_in_the_backward():
    """the backward draws for key and query in another order: it leaves out other weights than the forward"""


@instead(dkdv, "ds = p * (dp - delta[None, :])", "ds = z * (dp - delta[None, :])")
def dropout_twice():
    """the gradient of a score is multiplied with the weight after dropout; it is the softmax's own (equation 12)"""
