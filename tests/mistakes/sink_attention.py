"""Wrong answers to sink_attention."""
import numpy as np
from solutions.sink_attention import sink_attention_backward, sink_attention_forward

from minigpt.reference.tiled.attention import attention_backward, attention_forward
from mistakes import mistake


def with_sum(q, k, v, sink, lse_of, causal):
    """The answer with another log-sum-exp: lse_of(plain one, sink)."""
    y, cache = attention_forward(q, k, v, causal=causal)
    lse = lse_of(cache.lse, sink[:, None])
    y = np.exp(cache.lse - lse)[..., None] * y
    return y, (cache._replace(y=y, lse=lse), sink)


@mistake("sink_attention_forward", "the sink is left out: this is plain attention (equation 1)")
def without_sink(q, k, v, sink, *, causal=False):
    return with_sum(q, k, v, sink, lambda lse, sink: lse, causal)


@mistake("sink_attention_forward", "the sink is added to the sum; being a score, it adds its exponential (equation 1)")
def sink_is_no_exponential(q, k, v, sink, *, causal=False):
    return with_sum(q, k, v, sink, lambda lse, sink: np.log(np.maximum(np.exp(lse) + sink, 1e-9)), causal)


@mistake("sink_attention_forward", "1 is added to the sum, whatever the sink: that is a sink of 0 (equation 1)")
def off_by_one(q, k, v, sink, *, causal=False):
    return with_sum(q, k, v, sink, lambda lse, sink: np.logaddexp(lse, 0 * sink), causal)


@mistake("sink_attention_forward", "the sink counts once for each key; it counts once for each query (equation 1)")
def once_for_each_key(q, k, v, sink, *, causal=False):
    more = np.log(q.shape[2]).astype(q.dtype)
    return with_sum(q, k, v, sink, lambda lse, sink: np.logaddexp(lse, sink + more), causal)


@mistake("sink_attention_forward", "the sink is divided by sqrt(D); it is a score already (equation 1)")
def divided_by_the_root(q, k, v, sink, *, causal=False):
    return with_sum(q, k, v, sink, lambda lse, sink: np.logaddexp(lse, sink / q.shape[-1]**0.5), causal)


@mistake("sink_attention_forward", "all heads have the sink of the first; each has its own (equation 1)")
def one_for_all_heads(q, k, v, sink, *, causal=False):
    return with_sum(q, k, v, sink, lambda lse, sink: np.logaddexp(lse, np.broadcast_to(sink[:1], sink.shape)), causal)


@mistake("sink_attention_forward", "exp(L) + exp(sink) overflows: take out the larger first (equation 1)")
def sum_overflows(q, k, v, sink, *, causal=False):
    return with_sum(q, k, v, sink, lambda lse, sink: np.log(np.exp(lse) + np.exp(sink)), causal)


@mistake("sink_attention_forward", "what the sink takes goes to the first value; it goes nowhere (equation 2)")
def sink_has_the_first_value(q, k, v, sink, *, causal=False):
    y, (cache, sink) = sink_attention_forward(q, k, v, sink, causal=causal)
    return y + np.exp(sink[:, None] - cache.lse)[..., None] * v[:, :, :1], (cache, sink)


@mistake("sink_attention_forward", "sink is written over: an input must be left as it was")
def writes_into_the_sink(q, k, v, sink, *, causal=False):
    result = sink_attention_forward(q, k, v, sink.copy(), causal=causal)
    np.exp(sink, out=sink)
    return result


@mistake("sink_attention_backward", "the weights come from the log-sum-exp without the sink (equation 9 of the lesson)")
def weights_without_the_sink(dy, cache):
    cache, sink = cache
    _, plain = attention_forward(cache.q, cache.k, cache.v, causal=cache.causal)
    dq, dk, dv = attention_backward(dy, cache._replace(lse=plain.lse))
    return dq, dk, dv, sink_attention_backward(dy, (cache, sink))[3]


@mistake("sink_attention_backward", "delta comes from the y without the sink (equation 8 of the lesson)")
def delta_without_the_sink(dy, cache):
    cache, sink = cache
    y, _ = attention_forward(cache.q, cache.k, cache.v, causal=cache.causal)
    return sink_attention_backward(dy, (cache._replace(y=y), sink))


@mistake("sink_attention_backward", "dsink has the wrong sign: where the sink rises, all weights fall (equation 3)")
def wrong_sign(dy, cache):
    *others, dsink = sink_attention_backward(dy, cache)
    return *others, -dsink


@mistake("sink_attention_backward", "the sink gets no gradient; but it takes from all weights (equation 3)")
def no_gradient(dy, cache):
    *others, dsink = sink_attention_backward(dy, cache)
    return *others, 0 * dsink


@mistake("sink_attention_backward", "delta is summed without the weight of the sink (equation 3)")
def without_its_weight(dy, cache):
    *others, _ = sink_attention_backward(dy, cache)
    return *others, -(dy * cache[0].y).sum(axis=(0, 2, 3))


@mistake("sink_attention_backward", "dsink is the mean over the queries; all of them use it: a sum (equation 3)")
def mean_over_queries(dy, cache):
    *others, dsink = sink_attention_backward(dy, cache)
    return *others, dsink / dy.shape[2]


@mistake("sink_attention_backward", "dsink comes from the first sequence alone; all of the batch adds up (equation 3)")
def first_sequence_only(dy, cache):
    *others, _ = sink_attention_backward(dy, cache)
    first, sink = cache[0], cache[1]
    weight = np.exp(sink[:, None] - first.lse[:1])
    return *others, -(weight * (dy * first.y).sum(axis=-1)[:1]).sum(axis=(0, 2))
