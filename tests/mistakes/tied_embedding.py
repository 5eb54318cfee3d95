"""Wrong answers to tied_embedding: its backward, for the forward is given."""
import numpy as np

from mistakes import mistake


def looked_up(dE, before, de):
    np.add.at(dE, before, de)
    return dE


def backward(dy, cache, *, counts=len, slope=lambda h: 1 - h * h, de=lambda da, W: da @ W, dW=lambda da, e: da.T @ e,
             db=lambda da: da.sum(axis=0), dE=lambda of_scores, before, de: looked_up(of_scores, before, de)):
    """The answer, with one thing done otherwise."""
    before, targets, E, W, e, h, p = cache
    dz = p - np.eye(len(E))[targets]
    dz *= dy / counts(before)
    da = dz @ E * slope(h)
    return dE(dz.T @ h, before, de(da, W)), dW(da, e), db(da)


def as_second(of_scores, before, de):
    return looked_up(np.zeros_like(of_scores), before, de)


@mistake("tied_embedding_backward", "de is da times W transposed, and dE of (6) is replaced in (9): W is square, so no "
                                    "shape tells (equations 8 and 9)")
def both_as_given(dy, cache):
    return backward(dy, cache, de=lambda da, W: da @ W.T, dE=as_second)


@mistake("tied_embedding_backward", "the table is used twice, and its second gradient takes the place of the first; "
                                    "they add up (equation 9)")
def second_use_replaces_the_first(dy, cache):
    return backward(dy, cache, dE=as_second)


@mistake("tied_embedding_backward", "the table gets the gradient of the scores alone; what was looked up in it sends "
                                    "one back as well (equation 9)")
def only_the_scores(dy, cache):
    return backward(dy, cache, dE=lambda of_scores, before, de: of_scores)


@mistake("tied_embedding_backward", "de is da times W transposed; W is square, so the shape does not tell (equation 8)")
def transposed_on_the_way_back(dy, cache):
    return backward(dy, cache, de=lambda da, W: da @ W.T)


@mistake("tied_embedding_backward", "dW is transposed; it is square, so the shape does not tell (equation 8)")
def dW_transposed(dy, cache):
    return backward(dy, cache, dW=lambda da, e: e.T @ da)


@mistake("tied_embedding_backward", "de and dW are both transposed; they are those of W, not of its transpose "
                                    "(equation 8)")
def all_transposed(dy, cache):
    return backward(dy, cache, dW=lambda da, e: e.T @ da, de=lambda da, W: da @ W.T)


@mistake("tied_embedding_backward", "a sign that was looked up twice collects once: `dE[before] += de` (equation 9)")
def repeated_signs_counted_once(dy, cache):
    def dE(of_scores, before, de):
        of_scores[before] += de
        return of_scores
    return backward(dy, cache, dE=dE)


@mistake("tied_embedding_backward", "the two gradients of the table are averaged; they add up (equation 9)")
def averaged(dy, cache):
    return backward(dy, cache, dE=lambda of_scores, before, de: looked_up(of_scores, before, de) / 2)


@mistake("tied_embedding_backward", "the loss is a mean: its gradient is divided by N (equation 5)")
def not_divided_by_n(dy, cache):
    return backward(dy, cache, counts=lambda before: 1)


@mistake("tied_embedding_backward", "the bend is left out on the way back: da = dh (1 - h^2) (equation 7)")
def without_the_slope(dy, cache):
    return backward(dy, cache, slope=lambda h: 1)


@mistake("tied_embedding_backward", "h is not squared: da = dh (1 - h^2) (equation 7)")
def slope_not_squared(dy, cache):
    return backward(dy, cache, slope=lambda h: 1 - h)


@mistake("tied_embedding_backward", "db is averaged over the places; it is their sum (equation 8)")
def db_averaged(dy, cache):
    return backward(dy, cache, db=lambda da: da.mean(axis=0))


@mistake("tied_embedding_backward", "db runs over the wrong axis: b is added at each place, so sum over places "
                                    "(equation 8)")
def db_over_the_features(dy, cache):
    return backward(dy, cache, db=lambda da: da.sum(axis=1))


@mistake("tied_embedding_backward", "dy is left out (equation 5)")
def without_dy(dy, cache):
    return backward(1.0, cache)
