"""Wrong answers to attention_shapes."""
from solutions.attention_shapes import attention_shapes as right

from mistakes import mistake


@mistake("attention_shapes", "the scores are T by T; a query has a score for each of the S keys (equation 1)")
def t_by_t(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"scores": (B, H, T, T)}


@mistake("attention_shapes", "the heads are forgotten: each has scores of its own")
def heads_forgotten(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"scores": (B, T, S)}


@mistake("attention_shapes", "heads that share keys are taken to share scores; each query head has its own (1)")
def scores_of_key_heads(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"scores": (B, G, T, S)}


@mistake("attention_shapes", "the scores have a column for each query; a row is a query, a column a key (equation 1)")
def the_other_way_round(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"scores": (B, H, S, T)}


@mistake("attention_shapes", "the scores keep the axis of D, which the dot product sums over (equation 1)")
def d_not_summed(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"scores": (B, H, T, S, D)}


@mistake("attention_shapes", "the sums run over the queries; there is one for each query, over its keys (equation 4)")
def a_sum_for_each_key(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"sums": (B, H, S)}


@mistake("attention_shapes", "one sum for a whole head; each query has its own (equation 4)")
def a_sum_for_each_head(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"sums": (B, H)}


@mistake("attention_shapes", "y has a row for each key; it has one for each query (equation 6)")
def y_for_each_key(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"y": (B, H, S, D)}


@mistake("attention_shapes", "y has as many heads as the values; it has as many as the queries (equation 6)")
def y_for_each_key_head(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"y": (B, G, T, D)}


@mistake("attention_shapes", "y is as wide as a row of weights; it is an average of values of D numbers (equation 6)")
def y_as_wide_as_weights(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"y": (B, H, T, S)}


@mistake("attention_shapes", "only the keys are counted; the values are as many again")
def keys_without_values(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"k and v": B * G * S * D}


@mistake("attention_shapes", "k and v are counted for all H query heads; there are G of each")
def repeated_keys(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"k and v": 2 * B * H * S * D}


@mistake("attention_shapes", "k and v have a row for each query; they have S rows")
def t_rows_of_keys(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"k and v": 2 * B * G * T * D}


@mistake("attention_shapes", "the multiplications of the scores alone; the average of the values takes as many (6)")
def scores_alone(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"multiplications": B * H * T * S * D}


@mistake("attention_shapes", "one multiplication for each score; a dot product takes D (equation 1)")
def one_for_each_score(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"multiplications": 2 * B * H * T * S}


@mistake("attention_shapes", "heads that share keys are taken to share the work; each query head does its own")
def work_of_key_heads(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"multiplications": 2 * B * G * T * S * D}


@mistake("attention_shapes", "additions are counted as well; only multiplications are asked for")
def additions_too(B, H, G, T, S, D):
    return right(B, H, G, T, S, D) | {"multiplications": 4 * B * H * T * S * D}
