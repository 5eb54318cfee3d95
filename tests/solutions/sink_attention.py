"""One right answer to the exercise attention_backward.3."""
import numpy as np

from minigpt.reference.tiled.attention import attention_backward, attention_forward


def sink_attention_forward(q, k, v, sink, *, causal=False):
    """Attention without a sink, whose weights are then scaled down by what the sink takes.

        (1) L'_t = log(exp(L_t) + exp(sink_h))
        (2) y'_t = exp(L_t - L'_t) y_t
    """
    y, cache = attention_forward(q, k, v, causal=causal)
    lse = np.logaddexp(cache.lse, sink[:, None])              # (B,H,T)  (1)
    y = np.exp(cache.lse - lse)[..., None] * y                # (B,H,T,D)  (2)
    return y, (cache._replace(y=y, lse=lse), sink)


def sink_attention_backward(dy, cache):
    """The backward of attention, given y' and L'; its value is 0, so of (12) the sink has -p delta alone.

        (3) dsink_h = -sum_t exp(sink_h - L'_t) delta_t
    """
    cache, sink = cache
    dq, dk, dv = attention_backward(dy, cache)
    delta = (dy * cache.y).sum(axis=-1)                       # (B,H,T)
    dsink = -(np.exp(sink[:, None] - cache.lse) * delta).sum(axis=(0, 2))         # (H,)  (3)
    return dq, dk, dv, dsink
