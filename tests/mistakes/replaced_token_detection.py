"""Wrong answers to replaced_token_detection."""
import numpy as np
from solutions.replaced_token_detection import replaced_token_detection_backward, replaced_token_detection_forward

from mistakes import mistake


@mistake("replaced_token_detection_forward", "swapped: 1 stands for a token that was replaced (equation 1)")
def swapped(scores, ids, corrupted, key_mask):
    loss, (scores, replaced, key_mask, n) = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    original = 1 - replaced
    surprise = np.logaddexp(0, scores) - scores * original
    return (np.where(key_mask, surprise, 0).sum() / n).astype(loss.dtype), (scores, original, key_mask, n)


@mistake("replaced_token_detection_forward", "only replaced tokens are asked; every token is, but padding (equation 2)")
def replaced_only(scores, ids, corrupted, key_mask):
    return replaced_token_detection_forward(scores, ids, corrupted, key_mask & (ids != corrupted))


@mistake("replaced_token_detection_forward", "padding is asked too (equation 2)")
def padding_is_asked(scores, ids, corrupted, key_mask):
    return replaced_token_detection_forward(scores, ids, corrupted, np.ones_like(key_mask))


@mistake("replaced_token_detection_forward", "divided by all places, padding included; N counts tokens (equation 2)")
def divided_by_all_places(scores, ids, corrupted, key_mask):
    loss, (*rest, n) = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    return (loss * n / scores.size).astype(loss.dtype), (*rest, scores.size)


@mistake("replaced_token_detection_forward", "the sum is not divided by N (equation 2)")
def not_divided(scores, ids, corrupted, key_mask):
    loss, (*rest, n) = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    return (loss * n).astype(loss.dtype), (*rest, 1)


@mistake("replaced_token_detection_forward", "a mean of the texts' means: short texts then weigh as much as long ones")
def mean_of_means(scores, ids, corrupted, key_mask):
    loss, (scores, replaced, key_mask, _) = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    surprise = np.where(key_mask, np.logaddexp(0, scores) - scores * replaced, 0)
    n = np.maximum(key_mask.sum(axis=1, keepdims=True), 1) * max(int(key_mask.any(axis=1).sum()), 1)
    return (surprise / n).sum().astype(loss.dtype), (scores, replaced, key_mask, n)


@mistake("replaced_token_detection_forward", "exp(score) overflows for large scores; np.logaddexp(0, score) does not")
def overflows(scores, ids, corrupted, key_mask):
    loss, cache = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    surprise = np.log(1 + np.exp(scores)) - scores * cache[1]
    return (np.where(key_mask, surprise, 0).sum() / cache[3]).astype(loss.dtype), cache


@mistake("replaced_token_detection_forward", "squared errors instead of surprises: -log of a probability")
def squared_error(scores, ids, corrupted, key_mask):
    loss, cache = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    p = np.exp(-np.logaddexp(0, -scores))
    return (np.where(key_mask, (p - cache[1])**2, 0).sum() / cache[3]).astype(loss.dtype), cache


@mistake("replaced_token_detection_forward", "without tokens the loss is 0/0; it is 0")
def nothing_divided_by_nothing(scores, ids, corrupted, key_mask):
    loss, (*rest, n) = replaced_token_detection_forward(scores, ids, corrupted, key_mask)
    n = n if key_mask.any() else np.nan
    return (loss * (n / n)).astype(loss.dtype), (*rest, n)


@mistake("replaced_token_detection_backward", "no sigmoid: the gradient is p - r, not score - r (equation 3)")
def no_sigmoid(dy, cache):
    scores, replaced, key_mask, n = cache
    return (np.where(key_mask, scores - replaced, 0) * (dy / n)).astype(scores.dtype)


@mistake("replaced_token_detection_backward", "the sign is wrong: p - r, so that what was replaced is pushed up")
def wrong_sign(dy, cache):
    return -replaced_token_detection_backward(dy, cache)


@mistake("replaced_token_detection_backward", "padding gets a gradient; it has none (equation 3)")
def padding_gets_a_gradient(dy, cache):
    scores, replaced, key_mask, n = cache
    return replaced_token_detection_backward(dy, (scores, replaced, np.ones_like(key_mask), n))


@mistake("replaced_token_detection_backward", "not divided by N (equation 3)")
def gradient_not_divided(dy, cache):
    return replaced_token_detection_backward(dy, (*cache[:3], 1))


@mistake("replaced_token_detection_backward", "dy is left out")
def without_dy(dy, cache):
    return replaced_token_detection_backward(np.ones_like(dy), cache)


@mistake("replaced_token_detection_backward", "the slope of the sigmoid is left over: that of the log cancels it")
def times_the_slope(dy, cache):
    scores = cache[0]
    p = np.exp(-np.logaddexp(0, -scores))
    return (replaced_token_detection_backward(dy, cache) * p * (1 - p)).astype(scores.dtype)
