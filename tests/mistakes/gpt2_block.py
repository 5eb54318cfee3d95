"""Wrong answers to gpt2_block."""
import numpy as np

from mistakes import mistake

QKV = ["attention.query", "attention.key", "attention.value"]
PLACES = {"attention_norm": "ln_1", "attention.output": "attn.c_proj", "feed_forward_norm": "ln_2",
          "feed_forward.up": "mlp.c_fc", "feed_forward.down": "mlp.c_proj"}


def block(theirs, untrained, *, order=QKV, places=PLACES, cut=lambda x, i: np.split(x, 3, axis=-1)[i],
          turned=lambda name, x, ours: x.T):
    """The answer, with one thing done otherwise."""
    found = {}
    for name, ours in untrained.items():
        place, _, kind = name.rpartition(".")
        x = (theirs[f"{places[place]}.{kind}"] if place in places else
             cut(theirs[f"attn.c_attn.{kind}"], order.index(place)))
        found[name] = turned(name, x, ours)
    return found


@mistake("block_from_gpt2", "a matrix is turned only where its shape asks for it; a square one fits either way, and "
                            "must be turned as well (equation 1)")
def turned_where_the_shape_asks_as_given(theirs, untrained):
    return block(theirs, untrained, turned=lambda name, x, ours: x if x.shape == ours.shape else x.T)


@mistake("block_from_gpt2", "nothing is turned: theirs are (in, out), ours (out, in) (equation 1)")
def nothing_turned(theirs, untrained):
    return block(theirs, untrained, turned=lambda name, x, ours: x)


@mistake("block_from_gpt2", "query, key and value are turned, the output of attention is not; it is square too "
                            "(equation 1)")
def output_not_turned(theirs, untrained):
    return block(theirs, untrained, turned=lambda name, x, ours: x if name.startswith("attention.output") else x.T)


@mistake("block_from_gpt2", "the output of attention is turned, query, key and value are not; they are square too "
                            "(equation 1)")
def thirds_not_turned(theirs, untrained):
    return block(theirs, untrained, turned=lambda name, x, ours: x if name.rpartition(".")[0] in QKV else x.T)


@mistake("block_from_gpt2", "query and key are exchanged: c_attn holds query, key, value, in this order (equation 2)")
def query_and_key_exchanged(theirs, untrained):
    return block(theirs, untrained, order=[QKV[1], QKV[0], QKV[2]])


@mistake("block_from_gpt2", "the value comes first here; c_attn holds query, key, value, in this order (equation 2)")
def value_first(theirs, untrained):
    return block(theirs, untrained, order=[QKV[2], QKV[0], QKV[1]])


@mistake("block_from_gpt2", "every third column is taken; the first C columns are those of the query (equation 2)")
def every_third_column(theirs, untrained):
    return block(theirs, untrained, cut=lambda x, i: x[..., i::3])


@mistake("block_from_gpt2", "c_attn is cut as it lies in memory, by rows; cut its columns (equation 2)")
def reshaped_into_thirds(theirs, untrained):
    return block(theirs, untrained, cut=lambda x, i: x.reshape(3, *x.shape[:-1], -1)[i])


@mistake("block_from_gpt2", "the two norms are exchanged: ln_1 stands before attention")
def norms_exchanged(theirs, untrained):
    return block(theirs, untrained, places=PLACES | {"attention_norm": "ln_2", "feed_forward_norm": "ln_1"})


@mistake("block_from_gpt2", "the result is the untrained block: what was read is not put into it")
def untrained_returned(theirs, untrained):
    block(theirs, untrained)
    return dict(untrained)
