"""Typical wrong answers for rope_pairs."""
from minigpt.reference.rope_pairs import halves_from_neighbours, head_width, neighbours_from_halves
from mistakes import mistake


@mistake("halves_from_neighbours", "nothing is reordered: the model runs, and turns pairs that never belonged together")
def left_as_it_is(weight, n_head):
    head_width(weight, n_head)
    return weight.copy()


@mistake("halves_from_neighbours", "that is the way back: row (h, i + s D/2) becomes row (h, 2i + s) (equation 1)")
def the_way_back(weight, n_head):
    return neighbours_from_halves(weight, n_head)


@mistake("halves_from_neighbours", "the heads are not kept apart: rows move from one into another (equation 1)")
def all_heads_as_one(weight, n_head):
    head_width(weight, n_head)
    return halves_from_neighbours(weight, 1)


@mistake("halves_from_neighbours", "the width of a head is taken for the number of heads (equation 1)")
def heads_and_width_confused(weight, n_head):
    D = head_width(weight, n_head)
    return weight.reshape(D, -1, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


@mistake("halves_from_neighbours", "the two halves of each head are swapped: s = 0 belongs to the first (equation 1)")
def halves_swapped(weight, n_head):
    D = head_width(weight, n_head)
    by_half = halves_from_neighbours(weight, n_head).reshape(n_head, 2, D // 2, *weight.shape[1:])
    return by_half[:, ::-1].reshape(weight.shape)


@mistake("halves_from_neighbours", "the columns are reordered; the rows of a weight are what it gives (out, in)")
def columns_in_place_of_rows(weight, n_head):
    head_width(weight, n_head)
    if weight.ndim < 2 or weight.shape[1] % 2:
        return weight.copy()
    return halves_from_neighbours(weight.swapaxes(0, 1), 1).swapaxes(0, 1)


@mistake("neighbours_from_halves", "that is the way there: row (h, 2i + s) becomes row (h, i + s D/2)")
def the_way_there(weight, n_head):
    return halves_from_neighbours(weight, n_head)
