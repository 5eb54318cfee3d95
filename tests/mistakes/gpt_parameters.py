"""Wrong answers to gpt_parameters."""
from solutions.gpt_parameters import gpt_parameters as right

from mistakes import mistake


@mistake("gpt_parameters", "the tied output layer is counted; it is E, which the embeddings have already (equation 7)")
def tied_counted(V, T, C, F, L, tied):
    return right(V, T, C, F, L, False)


@mistake("gpt_parameters", "the output layer is taken to be tied; where it is not, it has V C weights (equation 7)")
def never_counted(V, T, C, F, L, tied):
    return right(V, T, C, F, L, True)


@mistake("gpt_parameters", "the output layer has no biases, V C weights alone")
def output_with_biases(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"output": 0 if tied else V * C + V}


@mistake("gpt_parameters", "the biases of all linear layers are forgotten (equation 8)")
def no_biases(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"attention": L * 4 * C * C, "feed-forward": L * 2 * C * F}


@mistake("gpt_parameters", "the biases of attention are forgotten (equation 8)")
def no_biases_in_attention(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"attention": L * 4 * C * C}


@mistake("gpt_parameters", "the biases of the feed-forward part are forgotten (equation 8)")
def no_biases_in_feed_forward(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"feed-forward": L * 2 * C * F}


@mistake("gpt_parameters", "a layer has as many biases as inputs; it has as many as outputs (equation 8)")
def biases_of_the_inputs(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"feed-forward": L * (2 * C * F + 2 * F)}


@mistake("gpt_parameters", "attention has a fourth layer besides query, key and value: the output of the heads")
def no_output_of_the_heads(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"attention": L * 3 * (C * C + C)}


@mistake("gpt_parameters", "only one of the two layers of the feed-forward part is counted")
def up_without_down(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"feed-forward": L * (C * F + F)}


@mistake("gpt_parameters", "F is taken to be 4 C; it is given, and may be any width")
def four_times_as_wide(V, T, C, F, L, tied):
    return right(V, T, C, 4 * C, L, tied)


@mistake("gpt_parameters", "the positions are forgotten: P has T rows (equation 5)")
def no_positions(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"embeddings": V * C}


@mistake("gpt_parameters", "the final norm is forgotten: there are two in each block, and one more (equation 7)")
def no_final_norm(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"norms": 2 * L * 2 * C}


@mistake("gpt_parameters", "a block has two norms, one for attention and one for the feed-forward part")
def one_norm_a_block(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"norms": (L + 1) * 2 * C}


@mistake("gpt_parameters", "a norm has weights and biases (equation 9)")
def norms_without_biases(V, T, C, F, L, tied):
    return right(V, T, C, F, L, tied) | {"norms": (2 * L + 1) * C}


@mistake("gpt_parameters", "the parts of one block are counted, not of all L")
def one_block(V, T, C, F, L, tied):
    return right(V, T, C, F, 1, tied)
