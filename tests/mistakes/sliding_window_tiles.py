"""Wrong answers to sliding_window_tiles."""
from mistakes import mistake

NAME = "sliding_window_tiles"


def rows(T, BLOCK_T):
    """The first and the last query of each tile of queries."""
    return [(t0, min(t0 + BLOCK_T, T) - 1) for t0 in range(0, T, BLOCK_T)]


def keys(first, last, BLOCK_S):
    """The tiles that hold the keys first to last."""
    return range(max(first, 0) // BLOCK_S * BLOCK_S, last + 1, BLOCK_S)


def needs_mask(t0, last, s0, window, BLOCK_S):
    return s0 <= last - window or s0 + BLOCK_S - 1 > t0


@mistake(NAME, "the window is one too long: key t - window itself lies outside it")
def one_too_long(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window + 1, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(t0 - window, last, BLOCK_S)]


@mistake(NAME, "every tile below the diagonal is visited: those that lie before the window are to be left out")
def no_window(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(0, last, BLOCK_S)]


@mistake(NAME, "the first key is that of the last query; the first query of the tile sees earlier ones")
def begins_where_the_last_query_does(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(last - window + 1, last, BLOCK_S)]


@mistake(NAME, "the last key is that of the first query; the last query of the tile sees later ones")
def ends_where_the_first_query_does(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(t0 - window + 1, t0, BLOCK_S)]


@mistake(NAME, "tiles begin at the first key of the window; they lie at multiples of BLOCK_S")
def not_at_multiples(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in range(max(t0 - window + 1, 0), last + 1, BLOCK_S)]


@mistake(NAME, "the tile in which the window begins is left out: round down to a multiple of BLOCK_S, not up")
def rounded_up(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in range(-(-max(t0 - window + 1, 0) // BLOCK_S) * BLOCK_S, last + 1, BLOCK_S)]


@mistake(NAME, "only tiles on the diagonal get a mask; those in which the window begins need one too")
def no_mask_at_the_far_end(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, s0 + BLOCK_S - 1 > t0) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(t0 - window + 1, last, BLOCK_S)]


@mistake(NAME, "tiles on the diagonal get no mask: there some queries would see the future")
def no_mask_on_the_diagonal(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, s0 <= last - window) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(t0 - window + 1, last, BLOCK_S)]


@mistake(NAME, "every tile gets a mask; one whose keys are all seen by all its queries needs none")
def masks_everywhere(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, True) for t0, last in rows(T, BLOCK_T) for s0 in keys(t0 - window + 1, last, BLOCK_S)]


@mistake(NAME, "where the text ends, queries are counted that do not exist")
def past_the_end(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, t0 + BLOCK_T - 1, s0, window, BLOCK_S)) for t0, _ in rows(T, BLOCK_T)
            for s0 in keys(t0 - window + 1, t0 + BLOCK_T - 1, BLOCK_S)]


@mistake(NAME, "the queries after the last whole tile are left out")
def ragged_end_left_out(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T // BLOCK_T * BLOCK_T, BLOCK_T)
            for s0 in keys(t0 - window + 1, last, BLOCK_S)]


@mistake(NAME, "True stands for tiles that need no mask; it should say that one is needed")
def the_wrong_way_round(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, not needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(t0 - window + 1, last, BLOCK_S)]


@mistake(NAME, "the window reaches into the future: no key after the last query is seen")
def future_in_sight(T, window, BLOCK_T, BLOCK_S):
    return [(t0, s0, needs_mask(t0, last, s0, window, BLOCK_S)) for t0, last in rows(T, BLOCK_T)
            for s0 in keys(t0 - window + 1, min(last + window - 1, T - 1), BLOCK_S)]
