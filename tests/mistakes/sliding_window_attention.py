"""Wrong answers to sliding_window_attention."""
import numpy as np

from minigpt.reference.softmax import softmax_forward
from mistakes import mistake

NAME = "sliding_window_attention"


def attend(q, k, v, near, *, scale=None):
    scores = q @ k.swapaxes(-1, -2) / (np.sqrt(q.shape[-1]) if scale is None else scale)
    return softmax_forward(np.where(near, scores, -np.inf))[0] @ v


def places(T):
    return np.arange(T)[:, None], np.arange(T)[None, :]


@mistake(NAME, "the window is one too long: t - window itself lies outside it")
def one_too_long(q, k, v, window):
    t, s = places(q.shape[-2])
    return attend(q, k, v, (s <= t) & (s >= t - window))


@mistake(NAME, "the window leaves out the query's own position: a window of 1 means only itself")
def own_position_left_out(q, k, v, window):
    t, s = places(q.shape[-2])
    return attend(q, k, v, (s < t) & (s >= t - window))


@mistake(NAME, "the window reaches into the future: only s <= t may be attended to")
def future_in_sight(q, k, v, window):
    t, s = places(q.shape[-2])
    return attend(q, k, v, abs(s - t) < window)


@mistake(NAME, "the window is ignored: all earlier positions are attended to")
def no_window(q, k, v, window):
    t, s = places(q.shape[-2])
    return attend(q, k, v, s <= t)


@mistake(NAME, "text is cut into blocks of window positions; the window should slide along with the query")
def blocks_instead_of_a_window(q, k, v, window):
    t, s = places(q.shape[-2])
    return attend(q, k, v, (s <= t) & (s // window == t // window))


@mistake(NAME, "the weights outside the window are set to 0 after the softmax, so the others do not sum to 1")
def mask_after_softmax(q, k, v, window):
    t, s = places(q.shape[-2])
    p, _ = softmax_forward(np.where(s <= t, q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), -np.inf))
    return p * (s > t - window) @ v


@mistake(NAME, "the scores are not divided by sqrt(D)")
def not_divided(q, k, v, window):
    t, s = places(q.shape[-2])
    return attend(q, k, v, (s <= t) & (s > t - window), scale=1.0)


@mistake(NAME, "the softmax runs over all positions, and the window is cut out of its weights afterwards")
def softmax_over_everything(q, k, v, window):
    t, s = places(q.shape[-2])
    p, _ = softmax_forward(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return p * ((s <= t) & (s > t - window)) @ v


@mistake(NAME, "scores outside the window are 0, but exp(0) is 1: they still take part; use -inf")
def masked_with_zero(q, k, v, window):
    t, s = places(q.shape[-2])
    scores = np.where((s <= t) & (s > t - window), q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), 0)
    return softmax_forward(scores)[0] @ v
