"""Wrong answers to linear."""
import numpy as np

from minigpt.reference.linear import LinearCache, linear_backward, linear_forward
from mistakes import mistake


@mistake("linear_forward", "the weight is not transposed: it is (out, in), so y = x W^T (equation 1)")
def weight_not_transposed(x, weight, bias=None):
    y = x @ weight
    return (y if bias is None else y + bias), LinearCache(x, weight, bias is not None)


@mistake("linear_forward", "the bias is left out (equation 1)")
def bias_forgotten(x, weight, bias=None):
    return x @ weight.T, LinearCache(x, weight, bias is not None)


@mistake("linear_forward", "the bias is subtracted; it is added (equation 1)")
def bias_subtracted(x, weight, bias=None):
    return linear_forward(x, weight, None if bias is None else -bias)


@mistake("linear_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x, weight, bias=None):
    result = linear_forward(x.copy(), weight, bias)
    x -= x
    return result


@mistake("linear_forward", "y is scaled by 1/sqrt(I): such a factor belongs into the start of the weight, not here")
def scaled_output(x, weight, bias=None):
    return linear_forward(x, weight / np.sqrt(weight.shape[1]), bias)


@mistake("linear_backward", "dx uses the transposed weight; back again it is dy W (equation 2)")
def dx_with_the_transposed_weight(dy, cache):
    _, dweight, dbias = linear_backward(dy, cache)
    return dy @ cache.weight.T, dweight, dbias


@mistake("linear_backward", "dweight is transposed: it has the shape of the weight, (out, in) (equation 3)")
def dweight_transposed(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    return dx, dweight.T, dbias


@mistake("linear_backward", "dweight is averaged over the rows; it is their sum (equation 3)")
def dweight_averaged(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    return dx, dweight / max(dy[..., 0].size, 1), dbias


@mistake("linear_backward", "dbias is averaged over the rows; it is their sum (equation 4)")
def dbias_averaged(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    return dx, dweight, None if dbias is None else dbias / max(dy[..., 0].size, 1)


@mistake("linear_backward", "dweight and dbias are averaged over the rows; they are sums (equations 3 and 4)")
def both_averaged(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    rows = max(dy[..., 0].size, 1)
    return dx, dweight / rows, None if dbias is None else dbias / rows


@mistake("linear_backward", "dbias sums over the first axis only: every leading axis counts rows (equation 4)")
def dbias_of_the_first_axis(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    return dx, dweight, None if dbias is None else np.atleast_2d(dy).sum(axis=0)


@mistake("linear_backward", "dbias is 1, as if the loss were the sum of y: dy is missing (equation 4)")
def dbias_without_dy(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    return dx, dweight, None if dbias is None else np.full_like(dbias, dy[..., 0].size)
