"""Wrong answers to log_sum_exp."""
import numpy as np

from mistakes import mistake


def in_tiles(x, COLUMNS, *, start=-np.inf, beyond=-np.inf, rescaled=True, guarded=True, log=np.log, fresh=False,
             added=True, last=None):
    """The answer, with one thing done otherwise."""
    m, l = start, 0.0
    for at in range(0, len(x) if last is None else last(len(x), COLUMNS), COLUMNS):
        tile = np.full(COLUMNS, beyond)
        tile[:len(x) - at] = x[at:at + COLUMNS]
        m_new = tile.max() if fresh else max(m, tile.max())
        base = 0.0 if guarded and m_new == -np.inf else m_new
        scale = np.exp(m - base) if rescaled or l == 0 else 1.0
        l = l * scale + np.exp(tile - base).sum()
        m = m_new
    return (m if added and l else 0.0) + log(l)


@mistake("log_sum_exp", "m begins at 0, and what lies beyond the row is 0: the first hides scores far below 0, the "
                        "second adds exp(0) for each place that is not there (equations 1 and 2)")
def both_as_given(x, COLUMNS):
    return in_tiles(x, COLUMNS, start=0.0, beyond=0.0)


@mistake("log_sum_exp", "m begins at 0; scores far below 0 are then rounded to exp = 0. It begins at -inf (equation 1)")
def m_begins_at_zero(x, COLUMNS):
    return in_tiles(x, COLUMNS, start=0.0)


@mistake("log_sum_exp", "what the last tile has beyond the row is 0, and exp(0) counts; it is -inf (equation 2)")
def zeros_beyond_the_row(x, COLUMNS):
    return in_tiles(x, COLUMNS, beyond=0.0)


@mistake("log_sum_exp", "the old sum keeps its old maximum: multiply l by exp(m - m') (equation 2)")
def not_rescaled(x, COLUMNS):
    return in_tiles(x, COLUMNS, rescaled=False)


@mistake("log_sum_exp", "m is the maximum of the last tile, not of all so far (equation 1)")
def maximum_of_the_last_tile(x, COLUMNS):
    return in_tiles(x, COLUMNS, fresh=True)


@mistake("log_sum_exp", "m is not added to log l at the end (equation 3)")
def m_not_added(x, COLUMNS):
    return in_tiles(x, COLUMNS, added=False)


@mistake("log_sum_exp", "the logarithm of l is missing (equation 3)")
def without_the_logarithm(x, COLUMNS):
    return in_tiles(x, COLUMNS, log=lambda l: l)


@mistake("log_sum_exp", "a row of nothing but -inf gives NaN: subtract 0 where the maximum is -inf")
def nothing_is_nan(x, COLUMNS):
    return in_tiles(x, COLUMNS, guarded=False)


@mistake("log_sum_exp", "the last, shorter tile is left out: len(x) need not be a multiple of COLUMNS")
def last_tile_left_out(x, COLUMNS):
    return in_tiles(x, COLUMNS, last=lambda N, COLUMNS: N // COLUMNS * COLUMNS)


@mistake("log_sum_exp", "the maximum is not subtracted, so that exp overflows for large scores (equation 2)")
def no_maximum(x, COLUMNS):
    return np.log(np.exp(x).sum())
