"""Wrong answers to layer_norm."""
import numpy as np

from minigpt.reference.layer_norm import LayerNormCache, layer_norm_backward, layer_norm_forward
from mistakes import mistake


def normalised(x, weight, bias, mean, rstd):
    normal = (x - mean) * rstd
    y = normal * weight
    return (y if bias is None else y + bias), LayerNormCache(normal, weight, rstd, bias is not None)


@mistake("layer_norm_forward", "the variance is divided by C - 1; it is the biased one, divided by C (equation 2)")
def unbiased_variance(x, weight, bias=None, eps=1e-5):
    C = x.shape[-1]
    variance = x.var(axis=-1, keepdims=True) * C / max(C - 1, 1)
    return normalised(x, weight, bias, x.mean(axis=-1, keepdims=True), 1 / np.sqrt(variance + eps))


@mistake("layer_norm_forward", "eps is added to the root; it belongs inside, to the variance (equation 3)")
def eps_outside_the_root(x, weight, bias=None, eps=1e-5):
    rstd = 1 / (x.std(axis=-1, keepdims=True) + eps)
    return normalised(x, weight, bias, x.mean(axis=-1, keepdims=True), rstd)


@mistake("layer_norm_forward", "eps is missing: a row of equal values divides by zero (equation 3)")
def eps_missing(x, weight, bias=None, eps=1e-5):
    return normalised(x, weight, bias, x.mean(axis=-1, keepdims=True), 1 / x.std(axis=-1, keepdims=True))


@mistake("layer_norm_forward", "eps is always 1e-5, whatever is passed")
def eps_ignored(x, weight, bias=None, eps=1e-5):
    return layer_norm_forward(x, weight, bias)


@mistake("layer_norm_forward", "the row is divided by the variance; it is divided by its root (equation 3)")
def divided_by_the_variance(x, weight, bias=None, eps=1e-5):
    rstd = 1 / (x.var(axis=-1, keepdims=True) + eps)
    return normalised(x, weight, bias, x.mean(axis=-1, keepdims=True), rstd)


@mistake("layer_norm_forward", "the mean is not subtracted (that would be RMS norm) (equation 4)")
def mean_not_subtracted(x, weight, bias=None, eps=1e-5):
    rstd = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)
    return normalised(x, weight, bias, 0, rstd)


@mistake("layer_norm_forward", "mean and variance run over the first axis, as in batch norm; each row has its own")
def over_the_batch(x, weight, bias=None, eps=1e-5):
    rstd = 1 / np.sqrt(x.var(axis=0, keepdims=True) + eps)
    return normalised(x, weight, bias, x.mean(axis=0, keepdims=True), rstd)


@mistake("layer_norm_forward", "one mean and variance is taken over the whole array; each row has its own")
def over_everything(x, weight, bias=None, eps=1e-5):
    rows = x.reshape(1, -1) if x.size else np.zeros((1, 1))
    return normalised(x, weight, bias, rows.mean(), 1 / np.sqrt(rows.var() + eps) * np.ones_like(x[..., :1]))


@mistake("layer_norm_forward", "variance as mean(x^2) - mean(x)^2 loses its digits when the mean is large (equation 2)")
def variance_by_cancellation(x, weight, bias=None, eps=1e-5):
    mean = x.mean(axis=-1, keepdims=True)
    variance = np.maximum((x**2).mean(axis=-1, keepdims=True) - mean**2, 0)
    return normalised(x, weight, bias, mean, 1 / np.sqrt(variance + eps))


@mistake("layer_norm_forward", "the bias is left out (equation 5)")
def bias_forgotten(x, weight, bias=None, eps=1e-5):
    y, cache = layer_norm_forward(x, weight, None, eps)
    return y, cache._replace(has_bias=bias is not None)


@mistake("layer_norm_forward", "the weight multiplies the bias too; it is added last (equation 5)")
def bias_before_weight(x, weight, bias=None, eps=1e-5):
    return layer_norm_forward(x, weight, None if bias is None else bias * weight, eps)


@mistake("layer_norm_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x, weight, bias=None, eps=1e-5):
    result = layer_norm_forward(x, weight, bias, eps)
    x -= x.mean(axis=-1, keepdims=True)
    return result


def dx_from(dy, cache, terms):
    dn = dy * cache.weight
    _, dweight, dbias = layer_norm_backward(dy, cache)
    return cache.rstd * terms(dn, cache.normal), dweight, dbias


@mistake("layer_norm_backward", "mean and rstd are taken for constants: both depend on every x (equation 7)")
def mean_and_rstd_constant(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn)


@mistake("layer_norm_backward", "the mean is taken for a constant: its term in equation 7 is missing")
def mean_constant(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn - n * (dn * n).mean(axis=-1, keepdims=True))


@mistake("layer_norm_backward", "rstd is taken for a constant: the last term of equation 7 is missing")
def rstd_constant(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn - dn.mean(axis=-1, keepdims=True))


@mistake("layer_norm_backward", "the sums of equation 8 are not divided by C")
def sums_for_means(dy, cache):
    return dx_from(dy, cache, lambda dn, n: dn - dn.sum(axis=-1, keepdims=True)
                   - n * (dn * n).sum(axis=-1, keepdims=True))


@mistake("layer_norm_backward", "dx is not multiplied by rstd (equation 8)")
def rstd_missing(dy, cache):
    dx, dweight, dbias = layer_norm_backward(dy, cache)
    return dx / cache.rstd, dweight, dbias


@mistake("layer_norm_backward", "dx forgets the weight: dn = dy w (equation 6)")
def weight_missing_in_dx(dy, cache):
    dx, _, _ = layer_norm_backward(dy, cache._replace(weight=np.ones_like(cache.weight)))
    return dx, *layer_norm_backward(dy, cache)[1:]


@mistake("layer_norm_backward", "dweight is averaged over the rows; it is their sum (equation 6)")
def dweight_averaged(dy, cache):
    dx, dweight, dbias = layer_norm_backward(dy, cache)
    return dx, dweight / max(dy[..., 0].size, 1), dbias


@mistake("layer_norm_backward", "dbias is averaged over the rows; it is their sum (equation 6)")
def dbias_averaged(dy, cache):
    dx, dweight, dbias = layer_norm_backward(dy, cache)
    return dx, dweight, None if dbias is None else dbias / max(dy[..., 0].size, 1)


@mistake("layer_norm_backward", "dweight is the sum of dy; each dy is multiplied by its normalised value (equation 6)")
def dweight_without_the_value(dy, cache):
    dx, _, dbias = layer_norm_backward(dy, cache)
    return dx, dy.reshape(-1, len(cache.weight)).sum(axis=0), dbias
