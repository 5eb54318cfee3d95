"""Wrong answers to new_positions."""
import numpy as np
from solutions.new_positions import new_positions as right

from mistakes import mistake


@mistake("new_positions", "positions begin at 0 with every call; they go on where the cache ends (equation 9)")
def as_given_restart(length, real):
    return right(0, real[:, length:])


@mistake("new_positions", "positions are one too far: the first token of a text has position 0 (equation 9)")
def one_too_far(length, real):
    return right(length, real) + 1


@mistake("new_positions", "positions are one too far once the cache holds something (equation 9)")
def one_too_far_later(length, real):
    return right(length, real) + (length > 0)


@mistake("new_positions", "padding is counted: the real tokens of a row are counted by themselves (equation 9)")
def padding_counted(length, real):
    return np.zeros((len(real), 1), dtype=int) + np.arange(length, real.shape[1])


@mistake("new_positions", "padding that the cache holds is counted (equation 9)")
def padding_of_the_past_counted(length, real):
    return length + right(0, real[:, length:])


@mistake("new_positions", "padding among the new tokens is counted (equation 9)")
def padding_of_the_new_counted(length, real):
    return real[:, :length].sum(axis=1, keepdims=True) + np.arange(real.shape[1] - length)


@mistake("new_positions", "all rows have the positions of the first; with padding each row has its own")
def those_of_the_first_row(length, real):
    return right(length, real)[:1].repeat(len(real), axis=0)


@mistake("new_positions", "the positions of all tokens are returned, not of the new ones alone")
def all_positions(length, real):
    return right(0, real)


@mistake("new_positions", "the positions of the last token are returned, not of all the new ones")
def the_last_alone(length, real):
    return right(length, real)[:, -1:]


@mistake("new_positions", "positions are numbers with a fraction, which cannot look up a row")
def in_floats(length, real):
    return right(length, real).astype(float)


@mistake("new_positions", "real is written over: an input must be left as it was")
def writes_into_real(length, real):
    positions = right(length, real)
    real[:, :length] = True
    return positions
