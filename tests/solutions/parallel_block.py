"""One right answer to the exercise modern_block.4."""
from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from minigpt.reference.rms_norm import rms_norm_backward, rms_norm_forward
from minigpt.reference.transformer import part, whole


def parallel_block_forward(x, params, config):
    """y = x + attention(h) + feed_forward(h), where h = rms_norm(x)"""
    h, norm = rms_norm_forward(x, params["norm.weight"], config.norm_eps)                         # (B,T,C)
    a, attention = multi_head_attention_forward(h, part(params, "attention."), n_head=config.n_head, causal=True,
                                                rope_theta=config.rope_theta)                     # (B,T,C)
    f, feed_forward = feed_forward_forward(h, part(params, "feed_forward."), activation=config.feed_forward)
    return x + a + f, (norm, attention, feed_forward)


def parallel_block_backward(dy, cache):
    """A sum hands dy to all of its terms; h was used twice, so what comes back to it adds up."""
    norm, attention, feed_forward = cache
    dh_a, dattention = multi_head_attention_backward(dy, attention)                               # (B,T,C)
    dh_f, dfeed_forward = feed_forward_backward(dy, feed_forward)                                 # (B,T,C)
    dx, dweight = rms_norm_backward(dh_a + dh_f, norm)                                            # (B,T,C)
    return dy + dx, {"norm.weight": dweight} | whole("attention.", dattention) | whole("feed_forward.", dfeed_forward)
