"""Wrong answers to finite_differences."""
import numpy as np

from mistakes import mistake

NAME = "finite_differences"


def each_place(f, x, slope):
    """slope(i, nudge of 1 at i) at every place of x."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        one = np.zeros(x.shape)
        one[i] = 1
        gradient[i] = slope(one)
    return gradient


@mistake(NAME, "only one side is nudged: take f(x + h) - f(x - h), and divide by 2h (equation 1)")
def one_sided(f, x, h):
    return each_place(f, x, lambda one: (f(x + h * one) - f(x)) / h)


@mistake(NAME, "the two points lie 2h apart, but the difference is divided by h (equation 1)")
def divided_by_h(f, x, h):
    return each_place(f, x, lambda one: (f(x + h * one) - f(x - h * one)) / h)


@mistake(NAME, "the sign is wrong: it is f above minus f below (equation 1)")
def below_minus_above(f, x, h):
    return each_place(f, x, lambda one: (f(x - h * one) - f(x + h * one)) / (2 * h))


@mistake(NAME, "the difference is not divided by 2h: a slope is rise over run (equation 1)")
def not_divided(f, x, h):
    return each_place(f, x, lambda one: f(x + h * one) - f(x - h * one))


@mistake(NAME, "a fixed step is taken, whatever h is (equation 1)")
def step_of_its_own(f, x, h):
    return each_place(f, x, lambda one: (f(x + 1e-5 * one) - f(x - 1e-5 * one)) / 2e-5)


@mistake(NAME, "all numbers are nudged at once; nudge one at a time and leave the others as they are (equation 1)")
def all_at_once(f, x, h):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


@mistake(NAME, "a whole row is nudged at once: range(len(x)) counts rows, np.ndindex(x.shape) counts numbers")
def rows_at_once(f, x, h):
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        above, below = x.astype(float), x.astype(float)
        above[i] += h
        below[i] -= h
        gradient[i] = (f(above) - f(below)) / (2 * h)
    return gradient


@mistake(NAME, "only the diagonal is nudged; every place of x has a slope of its own (equation 1)")
def diagonal_only(f, x, h):
    if x.ndim < 2:
        return each_place(f, x, lambda one: (f(x + h * one) - f(x - h * one)) / (2 * h))
    inside = np.zeros(x.shape)
    inside[(np.arange(min(x.shape)),) * x.ndim] = 1
    return inside * each_place(f, x, lambda one: (f(x + h * one) - f(x - h * one)) / (2 * h))


@mistake(NAME, "x is nudged in place and put back by adding h: rounding changes its last digits, and whole numbers "
               "stay whole; nudge a copy, x.astype(float)")
def put_back_by_adding(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        gradient[i] = (above - f(x)) / (2 * h)
        x[i] += h
    return gradient


@mistake(NAME, "x is nudged in place and not put back, so each next number is nudged on top of the last ones")
def never_put_back(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        gradient[i] = (above - f(x)) / (2 * h)
    return gradient


@mistake(NAME, "above and below are one and the same array, so their difference is 0: `=` does not copy, x.copy() does")
def the_same_array_twice(f, x, h):
    gradient, x = np.zeros(x.shape), x.astype(float)
    for i in np.ndindex(x.shape):
        above = below = x
        above[i] += h
        below[i] -= h
        gradient[i] = (f(above) - f(below)) / (2 * h)
    return gradient


@mistake(NAME, "an array of whole numbers stays one: the nudge is cut off to a whole number; use x.astype(float)")
def whole_numbers_stay_whole(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] = x[i] + h
        below[i] = x[i] - h
        gradient[i] = (f(above) - f(below)) / (2 * h)
    return gradient


@mistake(NAME, "the gradient is one long row; it has the shape of x")
def one_long_row(f, x, h):
    return each_place(f, x, lambda one: (f(x + h * one) - f(x - h * one)) / (2 * h)).ravel()
