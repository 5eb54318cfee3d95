"""Wrong answers to dropout."""
import numpy as np

from minigpt.reference.dropout import DropoutCache, dropout_forward
from mistakes import mistake


def scaled_by(x, scale):
    return x * scale, DropoutCache(scale)


def keep(x, rate, generator):
    return generator.random(x.shape, dtype=np.float32) >= rate


@mistake("dropout_forward", "what is kept is not scaled by 1/(1 - rate), so the mean shrinks (equation 2)")
def not_scaled_up(x, rate, generator=None):
    return dropout_forward(x, rate) if rate == 0 else scaled_by(x, keep(x, rate, generator).astype(x.dtype))


@mistake("dropout_forward", "what is kept is divided by the rate; it is divided by 1 - rate (equation 2)")
def divided_by_the_rate(x, rate, generator=None):
    return dropout_forward(x, rate) if rate == 0 else scaled_by(x, keep(x, rate, generator).astype(x.dtype) / rate)


@mistake("dropout_forward", "`rate` is the probability of dropping a value, here it is that of keeping it (equation 1)")
def rate_of_keeping(x, rate, generator=None):
    return dropout_forward(x, 1 - rate if 0 < rate < 1 else rate, generator)


@mistake("dropout_forward", "kept values are multiplied by 1 - rate; they are divided by it (equation 2)")
def scaled_down(x, rate, generator=None):
    return dropout_forward(x, rate) if rate == 0 else scaled_by(x, keep(x, rate, generator) * (1 - rate))


@mistake("dropout_forward", "whole rows are dropped; each value is drawn by itself (equation 1)")
def whole_rows(x, rate, generator=None):
    if rate == 0:
        return dropout_forward(x, rate)
    return scaled_by(x, np.broadcast_to(keep(x[..., :1], rate, generator) / (1 - rate), x.shape))


@mistake("dropout_forward", "one row of draws serves all rows; each value is drawn by itself (equation 1)")
def one_draw_for_all_rows(x, rate, generator=None):
    if rate == 0:
        return dropout_forward(x, rate)
    return scaled_by(x, np.broadcast_to(keep(x.reshape(-1, x.shape[-1])[0], rate, generator) / (1 - rate), x.shape))


@mistake("dropout_forward", "the generator that is passed is not used: a seed cannot repeat the draw")
def generator_ignored(x, rate, generator=None):
    return dropout_forward(x, rate, np.random.default_rng())


@mistake("dropout_forward", "the generator is seeded anew in every call, so that every draw is the same")
def always_the_same_draw(x, rate, generator=None):
    return dropout_forward(x, rate, np.random.default_rng(0))


@mistake("dropout_forward", "a rate of 0 draws numbers all the same; then switching dropout off changes later draws")
def draws_at_rate_zero(x, rate, generator=None):
    if generator is not None:
        generator.random(x.shape, dtype=np.float32)
    return dropout_forward(x, rate, generator)


@mistake("dropout_forward", "a rate outside 0 to 1 is not refused")
def any_rate(x, rate, generator=None):
    return dropout_forward(x, rate) if rate == 0 else scaled_by(x, keep(x, rate, generator) / (1 - rate))


@mistake("dropout_forward", "exactly a share of `rate` is dropped; each value is drawn by itself (equation 1)")
def an_exact_share(x, rate, generator=None):
    if rate == 0 or not x.size:
        return dropout_forward(x, rate, generator)
    kept = generator.permutation(x.size).reshape(x.shape) >= round(rate * x.size)
    return scaled_by(x, kept.astype(x.dtype) / (1 - rate))


@mistake("dropout_forward", "x itself is written over: an input must be left as it was")
def writes_into_the_input(x, rate, generator=None):
    y, cache = dropout_forward(x.copy(), rate, generator)
    x[...] = y
    return y, cache


@mistake("dropout_backward", "the gradient passes everywhere; it stops where the value was dropped (equation 3)")
def gradient_passes_everywhere(dy, cache):
    return dy


@mistake("dropout_backward", "the gradient is not scaled by 1/(1 - rate) like the value (equation 3)")
def gradient_not_scaled(dy, cache):
    return dy if cache.scale is None else dy * (cache.scale > 0)


@mistake("dropout_backward", "the gradient draws anew; it must stop where the forward dropped (equation 3)")
def gradient_draws_anew(dy, cache):
    if cache.scale is None or not dy.size:
        return dy
    return dy * np.random.default_rng(1).permutation(cache.scale.reshape(-1)).reshape(dy.shape)
