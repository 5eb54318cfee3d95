"""Wrong answers to embedding."""
import numpy as np

from minigpt.reference.embedding import EmbeddingCache, embedding_backward, embedding_forward
from mistakes import mistake


@mistake("embedding_forward", "ids outside the table are not refused: NumPy takes -1 to mean the last row")
def negative_ids_wrap_around(ids, weight):
    return weight[ids], EmbeddingCache(ids, weight.shape)


@mistake("embedding_forward", "ids beyond the table are moved to its last row: that hides the slip that made them")
def ids_clipped(ids, weight):
    return embedding_forward(np.clip(ids, 0, len(weight) - 1), weight)


@mistake("embedding_forward", "ids are counted from 1; the first row of the table is that of id 0")
def ids_from_one(ids, weight):
    return embedding_forward((ids - 1) % len(weight), weight)


@mistake("embedding_forward", "the result is scaled by sqrt(C), but it is the row itself (equation 1)")
def scaled(ids, weight):
    return weight[ids] * np.sqrt(weight.shape[1]), embedding_forward(ids, weight)[1]


@mistake("embedding_backward", "a repeated id collects only its last gradient: `dweight[ids] += dy` counts it once")
def repeated_ids_counted_once(dy, cache):
    dweight = np.zeros(cache.weight_shape, dy.dtype)
    dweight[cache.ids] += dy
    return dweight


@mistake("embedding_backward", "gradients of a repeated id are averaged; they add up (equation 3)")
def repeated_ids_averaged(dy, cache):
    count = np.bincount(cache.ids.reshape(-1), minlength=cache.weight_shape[0])
    return embedding_backward(dy, cache) / np.maximum(count, 1)[:, None]


@mistake("embedding_backward", "dweight has a row for each id looked up; it needs one for each row of the table")
def gradient_of_the_rows_only(dy, cache):
    return dy


@mistake("embedding_backward", "rows that were not looked up get a gradient too; theirs is 0 (equation 3)")
def gradient_for_every_row(dy, cache):
    return embedding_backward(dy, cache) + dy.sum()


@mistake("embedding_forward", "the table is written over: an input must be left as it was")
def writes_into_the_table(ids, weight):
    result = embedding_forward(ids, weight)
    weight[ids] += 1
    return result
