"""Wrong answers to combine_splits."""
import numpy as np
from solutions.combine_splits import combine_splits

from mistakes import mistake

NAME = "combine_splits"


def weights(lse, axis=0):
    """exp(lse - max), and the max with 0 for -inf."""
    m = lse.max(axis=axis, keepdims=True)
    m = np.where(m == -np.inf, 0, m)
    return np.exp(lse - m), m


def weighted(y, w):
    kept = np.where(w[..., None] == 0, 0, y)
    total = w.sum(axis=0)
    return (w[..., None] * kept).sum(axis=0) / np.where(total == 0, 1, total)[..., None]


@mistake(NAME, "every part weighs the same; it is to weigh exp(lse), what its scores add up to (equation 3)")
def plain_mean(y, lse):
    full = lse > -np.inf
    return weighted(y, full.astype(y.dtype)), combine_splits(y, lse)[1]


@mistake(NAME, "the weights are lse itself and not exp(lse) (equation 2)")
def exp_forgotten(y, lse):
    return weighted(y, np.where(lse == -np.inf, 0, lse)), combine_splits(y, lse)[1]


@mistake(NAME, "the weights are not divided by their sum (equation 3)")
def not_divided(y, lse):
    w, _ = weights(lse)
    return (w[..., None] * np.where(w[..., None] == 0, 0, y)).sum(axis=0), combine_splits(y, lse)[1]


@mistake(NAME, "no maximum is subtracted: exp(lse) overflows where scores are large (equation 1)")
def maximum_not_subtracted(y, lse):
    w = np.exp(lse)
    with np.errstate(divide="ignore"):
        return weighted(y, w), np.log(w.sum(axis=0))


@mistake(NAME, "one maximum for all rows: rows far below it lose all their weight; each has its own (equation 1)")
def one_maximum_for_all(y, lse):
    m = max(lse.max(), -1e30)
    w = np.exp(lse - m)
    with np.errstate(divide="ignore"):
        return weighted(y, w), m + np.log(w.sum(axis=0))


@mistake(NAME, "the log-sum-exps are added up: what is to be added is exp of them (equation 4)")
def lse_added(y, lse):
    return combine_splits(y, lse)[0], lse.sum(axis=0)


@mistake(NAME, "lse is the largest of the parts, the others are forgotten (equation 4)")
def lse_of_the_largest_part(y, lse):
    return combine_splits(y, lse)[0], lse.max(axis=0)


@mistake(NAME, "the maximum that was subtracted is not added back to lse (equation 4)")
def maximum_not_added_back(y, lse):
    w, _ = weights(lse)
    with np.errstate(divide="ignore"):
        return weighted(y, w), np.log(w.sum(axis=0))


@mistake(NAME, "lse comes back as the sum of exp, without the logarithm (equation 4)")
def logarithm_forgotten(y, lse):
    w, m = weights(lse)
    return weighted(y, w), m[0] + w.sum(axis=0)


@mistake(NAME, "a row of empty parts gives NaN: -inf - (-inf) is not a number")
def empty_row_is_nan(y, lse):
    m = lse.max(axis=0)
    w = np.exp(lse - m)
    kept = np.where(w[..., None] == 0, 0, y)
    return (w[..., None] * kept).sum(axis=0) / w.sum(axis=0)[..., None], m + np.log(w.sum(axis=0))


@mistake(NAME, "an empty part holds no numbers, and 0 times NaN is NaN: leave it out, do not multiply it by 0")
def zero_times_nan(y, lse):
    w, _ = weights(lse)
    total = w.sum(axis=0)
    return (w[..., None] * y).sum(axis=0) / np.where(total == 0, 1, total)[..., None], combine_splits(y, lse)[1]


@mistake(NAME, "an empty part counts as if its lse were 0: -inf is a weight of exactly 0")
def empty_part_counts(y, lse):
    return combine_splits(np.nan_to_num(y, posinf=0), np.where(lse == -np.inf, 0, lse))


@mistake(NAME, "NaN in the result is replaced by 0: what an empty part left there wipes out the other parts")
def nan_wiped_away(y, lse):
    w, _ = weights(lse)
    total = w.sum(axis=0)
    mixed = (w[..., None] * y).sum(axis=0) / np.where(total == 0, 1, total)[..., None]
    return np.nan_to_num(mixed), combine_splits(y, lse)[1]


@mistake(NAME, "the parts stand on the first axis, this adds over the last (equation 3)")
def wrong_axis(y, lse):
    w, _ = weights(lse, axis=-1)
    return weighted(y, w), combine_splits(y, lse)[1]


@mistake(NAME, "an input is written over: it must be left as it was")
def writes_into_the_input(y, lse):
    y[lse == -np.inf] = 0
    lse -= lse.max(axis=0)
    return combine_splits(y, lse)


@mistake(NAME, "float32 becomes float64 on the way")
def widened(y, lse):
    return combine_splits(y.astype(np.float64), lse.astype(np.float64))
