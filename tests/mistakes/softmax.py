"""Wrong answers to softmax."""
import numpy as np

from minigpt.reference.softmax import SoftmaxCache
from mistakes import mistake


@mistake("softmax_forward", "the probabilities are taken over the first axis; they belong on the last (equation 2)")
def wrong_axis(x):
    e = np.exp(x - x.max(axis=0, keepdims=True))
    y = e / e.sum(axis=0, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "one sum is taken over the whole array; each row has its own (equation 2)")
def one_sum_for_all_rows(x):
    e = np.exp(x - x.max(initial=-np.inf))
    y = e / e.sum()
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the maximum is not subtracted, so exp overflows for large scores (equation 1)")
def maximum_not_subtracted(x):
    e = np.exp(x)
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "one maximum is subtracted from all rows: rows far below it become 0 (equation 1)")
def one_maximum_for_all_rows(x):
    e = np.exp(x - max(x.max(initial=-1e300), -1e300))
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "a row of -inf gives NaN: nothing may be chosen, so all probabilities are 0")
def impossible_row_is_nan(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "a row of -inf gives equal probabilities: nothing may be chosen, so all are 0")
def impossible_row_is_uniform(x):
    x = np.where(np.isneginf(x), -1e30, x)
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, SoftmaxCache(y)


def in_tiles(x, *, rescaled=True, once=False):
    """Rows in tiles of 3 scores, as the lesson softmax_kernel checks its two passes."""
    y = np.full_like(x, np.nan)
    for row in np.ndindex(x.shape[:-1]):
        m, l = -np.inf, 0.0
        tiles = [slice(at, at + 3) for at in range(0, x.shape[-1], 3)]
        for tile in tiles:
            new = max(m, x[row][tile].max())
            shift = 0.0 if new == -np.inf else new
            l = l * (np.exp(m - shift) if rescaled else 1.0) + np.exp(x[row][tile] - shift).sum()
            m = new
            y[row][tile] = np.exp(x[row][tile] - shift) / (l or 1.0)
        for tile in [] if once else tiles:
            y[row][tile] = np.exp(x[row][tile] - (0.0 if m == -np.inf else m)) / (l or 1.0)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the sum so far keeps the old maximum; it is multiplied by exp(m - m') (two passes, 2)")
def old_sum_not_rescaled(x):
    return in_tiles(x, rescaled=False)


@mistake("softmax_forward", "tiles are divided by the sum so far; the sum of the whole row comes first (two passes, 3)")
def divided_by_the_sum_so_far(x):
    return in_tiles(x, once=True)


@mistake("softmax_forward", "the scores are divided by their sum; exp comes first (equation 2)")
def no_exp(x):
    x = np.where(np.isneginf(x), 0, x)
    total = x.sum(axis=-1, keepdims=True)
    y = x / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the scores themselves are overwritten: an input must be left as it was")
def writes_into_the_input(x):
    if x.size:
        x -= np.maximum(x.max(axis=-1, keepdims=True), -1e300)
    e = np.exp(x)
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_backward", "only the diagonal y (1 - y) is used: each y_i depends on every x_j (equation 3)")
def diagonal_only(dy, cache):
    return dy * cache.y * (1 - cache.y)


@mistake("softmax_backward", "dy is not multiplied by y in the sum of equation 4")
def inner_product_without_y(dy, cache):
    return cache.y * (dy - dy.sum(axis=-1, keepdims=True))


@mistake("softmax_backward", "the sum of equation 4 runs over the whole array; each row has its own")
def inner_product_over_everything(dy, cache):
    return cache.y * (dy - (dy * cache.y).sum())


@mistake("softmax_backward", "the factor y in front of equation 4 is missing")
def factor_y_missing(dy, cache):
    return dy - (dy * cache.y).sum(axis=-1, keepdims=True)


@mistake("softmax_forward", "the maximum is not subtracted (equation 1), and a row of -inf is divided by 0")
def as_the_equation_without_m(x):
    e = np.exp(x)
    y = e / e.sum(axis=-1, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the sum runs over the whole array; each row has its own (equation 2)")
def sum_over_everything(x):
    m = x.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(np.isinf(m), 0, m))
    y = e / (e.sum() or 1)
    return y, SoftmaxCache(y)
