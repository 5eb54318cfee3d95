"""Wrong answers to rope."""
import numpy as np

from minigpt.reference.rope import RopeCache, rope_backward, rope_forward
from mistakes import mistake


def turned(x, angle):
    """x turned by angles that are wrong: (..., D/2), anything that fits."""
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    first, second = np.split(x, 2, axis=-1)
    y = np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return y, RopeCache(cos, sin)


def frequency(D, theta):
    return theta ** (-np.arange(0, D, 2) / D)


def by_frequency(x, positions, wrong):
    rope_forward(x, positions)                           # refuses what is to be refused
    return turned(x, positions[:, None] * wrong)


@mistake("rope_forward", "neighbours (2i, 2i + 1) are paired; here the pairs are (i, i + D/2) (equations 3 and 4)")
def interleaved_pairs(x, positions, theta=10000.0):
    D = x.shape[-1]
    order = np.arange(D).reshape(-1, 2).T.ravel() if D % 2 == 0 else np.arange(D)       # evens first
    y, cache = rope_forward(x[..., order], positions, theta)
    return y[..., np.argsort(order)], cache


@mistake("rope_forward", "the pairs are turned the other way: the signs of sin are swapped (equations 3 and 4)")
def turned_the_other_way(x, positions, theta=10000.0):
    return rope_forward(x, -positions, theta)


@mistake("rope_forward", "both sines are added, which is no turn: the one in equation 3 is subtracted")
def both_sines_added(x, positions, theta=10000.0):
    y, cache = rope_forward(x, positions, theta)
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cache.cos + second * cache.sin, np.split(y, 2, axis=-1)[1]], axis=-1), cache


@mistake("rope_forward", "cos and sin are swapped (equations 3 and 4)")
def cos_and_sin_swapped(x, positions, theta=10000.0):
    _, (cos, sin) = rope_forward(x, positions, theta)
    first, second = np.split(x, 2, axis=-1)
    y = np.concatenate([first * sin - second * cos, second * sin + first * cos], axis=-1)
    return y, RopeCache(sin, cos)


@mistake("rope_forward", "the second feature is computed from the first one's new value, not its old (equation 4)")
def second_from_the_new_first(x, positions, theta=10000.0):
    y, cache = rope_forward(x, positions, theta)
    new_first = np.split(y, 2, axis=-1)[0]
    return np.concatenate([new_first, np.split(x, 2, axis=-1)[1] * cache.cos + new_first * cache.sin], axis=-1), cache


@mistake("rope_forward", "the position is divided by the frequency; it is multiplied by it (equation 2)")
def divided_by_the_frequency(x, positions, theta=10000.0):
    return by_frequency(x, positions, 1 / frequency(x.shape[-1], theta))


@mistake("rope_forward", "the exponent is i/D; it is 2 i/D, so that the last pair is near 1/theta (equation 1)")
def exponent_without_the_two(x, positions, theta=10000.0):
    return by_frequency(x, positions, frequency(x.shape[-1], theta)**0.5)


@mistake("rope_forward", "the exponent is 2 i/(D/2): each frequency is squared (equation 1)")
def exponent_divided_by_half_of_d(x, positions, theta=10000.0):
    return by_frequency(x, positions, frequency(x.shape[-1], theta)**2)


@mistake("rope_forward", "the frequencies end exactly at 1/theta; the last one is theta^(-(D - 2)/D) (equation 1)")
def frequencies_end_at_one_over_theta(x, positions, theta=10000.0):
    return by_frequency(x, positions, theta ** -np.linspace(0, 1, x.shape[-1] // 2))


@mistake("rope_forward", "the pairs are counted from 1, so none turns by a radian per position (equation 1)")
def pairs_counted_from_one(x, positions, theta=10000.0):
    D = x.shape[-1]
    return by_frequency(x, positions, frequency(D, theta) * theta ** (-2 / max(D, 1)))


@mistake("rope_forward", "the frequencies run from slow to fast; the first pair is the fastest (equation 1)")
def slow_to_fast(x, positions, theta=10000.0):
    return by_frequency(x, positions, frequency(x.shape[-1], theta)[::-1])


@mistake("rope_forward", "every pair turns by one radian per position; each has its own frequency (equation 1)")
def one_frequency_for_all(x, positions, theta=10000.0):
    return by_frequency(x, positions, np.ones(x.shape[-1] // 2))


@mistake("rope_forward", "theta is always 10000, whatever is passed")
def theta_ignored(x, positions, theta=10000.0):
    return rope_forward(x, positions)


@mistake("rope_forward", "the angles are taken for degrees; they are radians (equation 2)")
def degrees(x, positions, theta=10000.0):
    return by_frequency(x, positions, np.deg2rad(frequency(x.shape[-1], theta)))


@mistake("rope_forward", "positions are counted from 1; products of q and k do not notice, but y does")
def positions_from_one(x, positions, theta=10000.0):
    return rope_forward(x, positions + 1, theta)


@mistake("rope_forward", "positions are counted from 0 whatever is passed, so a cache does not continue a text")
def positions_ignored(x, positions, theta=10000.0):
    rope_forward(x, positions)
    return rope_forward(x, np.arange(x.shape[-2]), theta)


@mistake("rope_forward", "only the first position is looked at, and the others are counted on from it")
def positions_counted_on(x, positions, theta=10000.0):
    rope_forward(x, positions)
    return rope_forward(x, positions[:1].sum() + np.arange(x.shape[-2]), theta)


@mistake("rope_forward", "all texts get the positions of the first; positions (B,T) are a row for each (equation 2)")
def positions_of_the_first_text(x, positions, theta=10000.0):
    rope_forward(x, positions)
    return rope_forward(x, positions[0] if positions.ndim == 2 else positions, theta)


@mistake("rope_forward", "the angle grows along the heads; it grows along the places of the text (equation 2)")
def along_the_heads(x, positions, theta=10000.0):
    rope_forward(x, positions)
    return turned(x, np.arange(x.shape[1])[:, None, None] * frequency(x.shape[-1], theta))


@mistake("rope_forward", "the angle grows along the texts of the batch; it grows along the places (equation 2)")
def along_the_batch(x, positions, theta=10000.0):
    rope_forward(x, positions)
    return turned(x, np.arange(x.shape[0])[:, None, None, None] * frequency(x.shape[-1], theta))


@mistake("rope_forward", "the angles are float32: their rounding grows with the position")
def angles_in_float32(x, positions, theta=10000.0):
    rope_forward(x, positions)
    angle = positions[:, None].astype(np.float32) * frequency(x.shape[-1], theta).astype(np.float32)
    return turned(x, angle)


@mistake("rope_forward", "the angles are added, as learned positions are; they turn the pair (equations 3 and 4)")
def cos_and_sin_added(x, positions, theta=10000.0):
    _, cache = rope_forward(x, positions, theta)
    return x + np.concatenate([cache.cos, cache.sin], axis=-1), cache


@mistake("rope_forward", "the last feature of an odd D is left where it is: an odd D has no pairs and is refused")
def odd_width_accepted(x, positions, theta=10000.0):
    D = x.shape[-1]
    y, cache = rope_forward(x[..., :D - D % 2], positions, theta)
    return np.concatenate([y, x[..., D - D % 2:]], axis=-1), cache


@mistake("rope_forward", "one position is used for all places: there must be one for each")
def one_position_for_all(x, positions, theta=10000.0):
    return rope_forward(x, np.resize(positions, x.shape[-2]), theta)


@mistake("rope_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x, positions, theta=10000.0):
    y, cache = rope_forward(x, positions, theta)
    x[...] = y
    return y, cache


@mistake("rope_backward", "the gradient is turned forwards; it turns back, by minus the angle (equations 5 and 6)")
def gradient_turned_forwards(dy, cache):
    return rope_backward(dy, cache._replace(sin=-cache.sin))


@mistake("rope_backward", "the gradient is passed on as it is: it must be turned back (equations 5 and 6)")
def gradient_not_turned(dy, cache):
    return dy


@mistake("rope_backward", "the sines are left out of the gradient: each feature goes into both (equations 5 and 6)")
def sines_left_out(dy, cache):
    return rope_backward(dy, cache._replace(sin=0 * cache.sin))
