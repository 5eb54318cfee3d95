"""Wrong answers to min_p."""
import numpy as np

from mistakes import mistake


def renormalised(kept):
    return kept / kept.sum(axis=-1, keepdims=True)


@mistake("min_p", "a token exactly at the threshold is dropped, so at min_p = 1 all are; use >=, not >")
def threshold_itself_is_dropped(probabilities, min_p):
    least = min_p * probabilities.max(axis=-1, keepdims=True)
    return renormalised(probabilities * (probabilities > least))


@mistake("min_p", "min_p itself is the threshold; it is a share of the largest probability of the row")
def absolute_threshold(probabilities, min_p):
    return renormalised(probabilities * (probabilities >= min_p))


@mistake("min_p", "the threshold lies min_p below the largest probability; multiply, do not subtract")
def threshold_by_subtraction(probabilities, min_p):
    least = probabilities.max(axis=-1, keepdims=True) - min_p
    return renormalised(probabilities * (probabilities >= least))


@mistake("min_p", "what is kept does not sum to 1: divide it by its sum")
def not_renormalised(probabilities, min_p):
    return probabilities * (probabilities >= min_p * probabilities.max(axis=-1, keepdims=True))


@mistake("min_p", "what is kept is divided by the sum of everything, not by its own sum")
def sum_of_everything(probabilities, min_p):
    kept = probabilities * (probabilities >= min_p * probabilities.max(axis=-1, keepdims=True))
    return kept / kept.sum()


@mistake("min_p", "the largest probability of the first axis is taken; each row, along the last axis, has its own")
def wrong_axis(probabilities, min_p):
    kept = probabilities * (probabilities >= min_p * probabilities.max(axis=0, keepdims=True))
    return renormalised(kept)


@mistake("min_p", "one largest probability is taken for all rows; each row has its own")
def one_largest_for_all_rows(probabilities, min_p):
    return renormalised(probabilities * (probabilities >= min_p * probabilities.max()))


@mistake("min_p", "all tokens that are kept get the same probability; they keep their proportions")
def shared_out_equally(probabilities, min_p):
    kept = probabilities >= min_p * probabilities.max(axis=-1, keepdims=True)
    return renormalised(kept.astype(probabilities.dtype))


@mistake("min_p", "this is top-p: tokens are added up until their sum reaches the number")
def top_p_instead(probabilities, min_p):
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    p = np.take_along_axis(probabilities, order, axis=-1)
    p = p * (np.cumsum(p, axis=-1) - p < min_p)
    p[..., :1] = np.take_along_axis(probabilities, order[..., :1], axis=-1)
    return np.take_along_axis(renormalised(p), np.argsort(order, axis=-1), axis=-1)


@mistake("min_p", "the probabilities that came in are written over: an input must be left as it was")
def writes_into_the_input(probabilities, min_p):
    probabilities[probabilities < min_p * probabilities.max(axis=-1, keepdims=True)] = 0
    return renormalised(probabilities)
