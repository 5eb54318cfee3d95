"""Wrong answers to rms_norm."""
import numpy as np

from minigpt.reference.rms_norm import RMSNormCache, rms_norm_backward, rms_norm_forward
from mistakes import mistake


def normalised(x, weight, rstd):
    normal = x * rstd
    return (normal if weight is None else normal * weight), RMSNormCache(normal, weight, rstd)


def mean_square(x, axis=-1):
    return (x**2).mean(axis=axis, keepdims=True)


@mistake("rms_norm_forward", "the mean is subtracted first: that is layer norm; RMS norm does not (equation 1)")
def mean_subtracted(x, weight, eps=1e-5):
    return rms_norm_forward(x - x.mean(axis=-1, keepdims=True), weight, eps)


@mistake("rms_norm_forward", "x is divided by the spread around the mean; the mean square is around 0 (equation 1)")
def variance_for_mean_square(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps))


@mistake("rms_norm_forward", "the squares are added up; their mean is taken, so that C does not matter (equation 1)")
def sum_for_mean(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / np.sqrt((x**2).sum(axis=-1, keepdims=True) + eps))


@mistake("rms_norm_forward", "the squares are divided by C - 1; the mean square divides by C (equation 1)")
def divided_by_one_less(x, weight, eps=1e-5):
    C = x.shape[-1]
    return normalised(x, weight, 1 / np.sqrt(mean_square(x) * C / max(C - 1, 1) + eps))


@mistake("rms_norm_forward", "the row is divided by its mean absolute value; it is the root of its mean square")
def mean_absolute_value(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / np.sqrt(np.abs(x).mean(axis=-1, keepdims=True)**2 + eps))


@mistake("rms_norm_forward", "the root is missing: the row is divided by its mean square (equation 2)")
def root_missing(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / (mean_square(x) + eps))


@mistake("rms_norm_forward", "eps is added to the root; it belongs inside, to the mean square (equation 2)")
def eps_outside_the_root(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / (np.sqrt(mean_square(x)) + eps))


@mistake("rms_norm_forward", "eps is missing: a row of zeros becomes NaN (equation 2)")
def eps_missing(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / np.sqrt(mean_square(x)))


@mistake("rms_norm_forward", "eps is always 1e-5, whatever is passed")
def eps_ignored(x, weight, eps=1e-5):
    return rms_norm_forward(x, weight)


@mistake("rms_norm_forward", "eps is 1e-6 unless given; here it is 1e-5")
def eps_of_another_model(x, weight, eps=1e-6):
    return rms_norm_forward(x, weight, eps)


@mistake("rms_norm_forward", "the mean square runs over the first axis; each row has its own (equation 1)")
def over_the_first_axis(x, weight, eps=1e-5):
    return normalised(x, weight, 1 / np.sqrt(mean_square(x, axis=0) + eps))


@mistake("rms_norm_forward", "one mean square is taken over the whole array; each row has its own (equation 1)")
def over_everything(x, weight, eps=1e-5):
    square = (x**2).mean() if x.size else 1.0
    return normalised(x, weight, 1 / np.sqrt(square + eps) * np.ones_like(x[..., :1]))


@mistake("rms_norm_forward", "the weight is left out (equation 4)")
def weight_forgotten(x, weight, eps=1e-5):
    y, cache = rms_norm_forward(x, None, eps)
    return y, cache._replace(weight=weight)


@mistake("rms_norm_forward", "the weight is added to 1 before it multiplies; here it starts at 1 itself (equation 4)")
def weight_around_zero(x, weight, eps=1e-5):
    return rms_norm_forward(x, None if weight is None else 1 + weight, eps)


@mistake("rms_norm_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x, weight, eps=1e-5):
    y, cache = rms_norm_forward(x.copy(), weight, eps)
    x *= cache.rstd
    return y, cache


def dx_from(dy, cache, terms):
    dn = dy if cache.weight is None else dy * cache.weight
    return cache.rstd * terms(dn, cache.normal), rms_norm_backward(dy, cache)[1]


@mistake("rms_norm_backward", "the length of the row is taken for a constant: it depends on every x (equation 6)")
def length_constant(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn)


@mistake("rms_norm_backward", "the mean of dn is subtracted, as in layer norm; there is no mean here (equation 7)")
def gradient_of_layer_norm(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn - dn.mean(axis=-1, keepdims=True)
                   - n * (dn * n).mean(axis=-1, keepdims=True))


@mistake("rms_norm_backward", "the sum of equation 7 is not divided by C")
def sum_for_the_mean_of_the_gradient(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn - n * (dn * n).sum(axis=-1, keepdims=True))


@mistake("rms_norm_backward", "the second term of equation 7 is added; it is subtracted")
def second_term_added(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn + n * (dn * n).mean(axis=-1, keepdims=True))


@mistake("rms_norm_backward", "dx is not multiplied by rstd (equation 7)")
def rstd_missing(dy, cache):
    dx, dweight = rms_norm_backward(dy, cache)
    return dx / cache.rstd, dweight


@mistake("rms_norm_backward", "dx forgets the weight: dn = dy w (equation 5)")
def weight_missing_in_dx(dy, cache):
    return rms_norm_backward(dy, cache._replace(weight=None))[0], rms_norm_backward(dy, cache)[1]


@mistake("rms_norm_backward", "dweight is averaged over the rows; it is their sum (equation 5)")
def dweight_averaged(dy, cache):
    dx, dweight = rms_norm_backward(dy, cache)
    return dx, None if dweight is None else dweight / max(dy[..., 0].size, 1)


@mistake("rms_norm_backward", "dweight is the sum of dy; each dy is multiplied by its normalised value (equation 5)")
def dweight_without_the_value(dy, cache):
    dx, dweight = rms_norm_backward(dy, cache)
    return dx, None if dweight is None else dy.reshape(-1, len(dweight)).sum(axis=0)
