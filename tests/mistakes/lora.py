"""Typical wrong answers for LoRA."""
import numpy as np

from minigpt.reference.lora import LoRACache, lora_backward, lora_forward
from mistakes import mistake


@mistake("lora_forward", "the scale is left out (equation 2)")
def not_scaled(x, weight, a, b, bias=None, scale=1.0):
    y, _ = lora_forward(x, weight, a, b, bias)
    return y, lora_forward(x, weight, a, b, bias, scale)[1]


@mistake("lora_forward", "the scale belongs to the narrow part alone, not to the whole output (equation 2)")
def everything_scaled(x, weight, a, b, bias=None, scale=1.0):
    y, _ = lora_forward(x, weight, a, b, bias)
    return scale * y, lora_forward(x, weight, a, b, bias, scale)[1]


@mistake("lora_forward", "the narrow part takes the place of the layer; it is added to it (equation 2)")
def narrow_part_alone(x, weight, a, b, bias=None, scale=1.0):
    return lora_forward(x, np.zeros_like(weight), a, b, bias, scale)[0], lora_forward(x, weight, a, b, bias, scale)[1]


@mistake("lora_forward", "the bias is added twice, once with the narrow part (equation 2)")
def bias_twice(x, weight, a, b, bias=None, scale=1.0):
    y, cache = lora_forward(x, weight, a, b, bias, scale)
    return (y if bias is None else y + bias), cache


@mistake("lora_backward", "dx comes from the weight alone; the narrow part reads x too (equation 4)")
def dx_without_the_narrow_part(dy, cache):
    _, dweight, da, db, dbias = lora_backward(dy, cache)
    return dy @ cache.weight, dweight, da, db, dbias


@mistake("lora_backward", "dA is taken from dy, not from what has come through B (equation 6)")
def da_without_b(dy, cache):
    dx, dweight, _, db, dbias = lora_backward(dy, LoRACache(*cache))
    ones = cache._replace(b=np.ones_like(cache.b))
    return dx, dweight, lora_backward(dy, ones)[2], db, dbias


@mistake("lora_backward", "the scale is missing in dA and dB (equation 6)")
def gradients_not_scaled(dy, cache):
    dx, dweight, da, db, dbias = lora_backward(dy, cache)
    return dx, dweight, da / cache.scale, db / cache.scale, dbias


@mistake("lora_backward", "dB is multiplied by x through A twice (equation 6)")
def db_from_the_wrong_side(dy, cache):
    dx, dweight, da, db, dbias = lora_backward(dy, cache)
    return dx, dweight, da, db @ (cache.a @ cache.a.T), dbias


@mistake("merged", "the scale is left out of the merged weight (equation 8)")
def merged_without_scale(weight, a, b, scale=1.0):
    return weight + b @ a


@mistake("merged", "the weight itself is overwritten: an input must be left as it was")
def merged_in_place(weight, a, b, scale=1.0):
    weight += scale * (b @ a)
    return weight
