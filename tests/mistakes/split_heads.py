"""Wrong answers to split_heads and merge_heads."""
from minigpt.reference.multi_head_attention import merge_heads, split_heads
from mistakes import mistake


@mistake("split_heads", "the heads are made by a reshape alone, which mixes positions; swap the axes after it")
def without_swapping(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, n_head, T, C // n_head)


@mistake("split_heads", "head h takes every H-th column; it takes D columns in a row, from h D on")
def interleaved(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, T, C // n_head, n_head).transpose(0, 3, 1, 2)


@mistake("split_heads", "the axes of positions and heads are not swapped: (B,H,T,D) is asked for")
def positions_first(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, T, n_head, C // n_head)


@mistake("split_heads", "n_head is taken for the width of a head; there are H heads of width C/H")
def width_for_number(x, n_head):
    return split_heads(x, x.shape[-1] // n_head) if n_head and x.shape[-1] % n_head == 0 else x


@mistake("split_heads", "the positions are cut, too: head h takes all positions, and D columns")
def columns_before_positions(x, n_head):
    B, T, C = x.shape
    return x.swapaxes(1, 2).reshape(B, n_head, T, C // n_head)


@mistake("merge_heads", "the heads are merged by a reshape alone; swap the axes before it")
def merged_without_swapping(x):
    B, H, T, D = x.shape
    return x.reshape(B, T, H * D)


@mistake("merge_heads", "the columns of the heads are interleaved; those of one head lie together")
def merged_interleaved(x):
    B, H, T, D = x.shape
    return x.transpose(0, 2, 3, 1).reshape(B, T, H * D)


@mistake("merge_heads", "the heads are added up; each has columns of its own")
def heads_added(x):
    return x.sum(axis=1)


@mistake("merge_heads", "the heads are merged in the reverse order")
def last_head_first(x):
    return merge_heads(x[:, ::-1])
