"""Wrong answers to typical."""
import numpy as np
from solutions.typical import typical

from mistakes import mistake


def kept_in_order(p, away, mass, *, crossing=True):
    """The tokens nearest to typical, until their sum reaches mass."""
    order = np.argsort(away, axis=-1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=-1)
    total = np.cumsum(ordered, axis=-1)
    keep = total - ordered < mass if crossing else total <= mass
    keep[..., 0] = True
    y = np.zeros_like(p)
    np.put_along_axis(y, order, np.where(keep, ordered, 0), axis=-1)
    return y / y.sum(axis=-1, keepdims=True)


def surprise_of(p):
    return -np.log(np.where(p > 0, p, 1))


def entropy_of(p):
    return (p * surprise_of(p)).sum(axis=-1, keepdims=True)


def distance(p, surprise, entropy):
    return np.where(p > 0, np.abs(surprise - entropy), np.inf)


@mistake("typical", "this is top-p: the most probable tokens come first; the most typical ones should (equation 2)")
def most_probable_first(probabilities, mass):
    return kept_in_order(probabilities, -probabilities, mass)


@mistake("typical", "the least typical tokens come first (equation 3)")
def least_typical_first(probabilities, mass):
    p = probabilities
    return kept_in_order(p, np.where(p > 0, -distance(p, surprise_of(p), entropy_of(p)), np.inf), mass)


@mistake("typical", "the entropy is in bits and the surprise in nats; both need the same unit (equations 1 and 2)")
def bits_and_nats(probabilities, mass):
    p = probabilities
    return kept_in_order(p, distance(p, surprise_of(p), entropy_of(p) / np.log(2)), mass)


@mistake("typical", "the surprises are averaged over the tokens, each once; weigh them by p (equation 1)")
def plain_mean(probabilities, mass):
    p = probabilities
    mean = surprise_of(p).sum(axis=-1, keepdims=True) / (p > 0).sum(axis=-1, keepdims=True)
    return kept_in_order(p, distance(p, surprise_of(p), mean), mass)


@mistake("typical", "the distance is taken between probabilities; it is one between surprises (equation 2)")
def distance_of_probabilities(probabilities, mass):
    p = probabilities
    return kept_in_order(p, np.where(p > 0, np.abs(p - np.exp(-entropy_of(p))), np.inf), mass)


@mistake("typical", "the token that crosses the mass is left out; it is the last one kept (equation 3)")
def crossing_token_left_out(probabilities, mass):
    p = probabilities
    return kept_in_order(p, distance(p, surprise_of(p), entropy_of(p)), mass, crossing=False)


@mistake("typical", "what is kept does not sum to 1: divide it by its sum")
def not_renormalised(probabilities, mass):
    return np.where(typical(probabilities, mass) > 0, probabilities, 0)


@mistake("typical", "a probability of 0 gives NaN (0 times infinity): such a token adds nothing to the entropy")
def zero_is_nan(probabilities, mass):
    return typical(probabilities, mass) * np.where((probabilities == 0).any(axis=-1, keepdims=True), np.nan, 1)


@mistake("typical", "one entropy is used for all rows; each row has its own (equation 1)")
def one_entropy_for_all_rows(probabilities, mass):
    p = probabilities
    return kept_in_order(p, distance(p, surprise_of(p), entropy_of(p).mean()), mass)


@mistake("typical", "the probabilities come in the order of typicality; put them back in the order of the ids")
def in_sorted_order(probabilities, mass):
    p = probabilities
    order = np.argsort(distance(p, surprise_of(p), entropy_of(p)), axis=-1, kind="stable")
    return np.take_along_axis(typical(p, mass), order, axis=-1)


@mistake("typical", "the probabilities that came in are written over: an input must be left as it was")
def writes_into_the_input(probabilities, mass):
    probabilities[...] = typical(probabilities, mass)
    return probabilities


@mistake("typical", "the first axis is summed over; each row, along the last axis, has its own entropy")
def wrong_axis(probabilities, mass):
    p = probabilities
    return kept_in_order(p, distance(p, surprise_of(p), (p * surprise_of(p)).sum(axis=0, keepdims=True)), mass)
