"""Other right answers to the exercises of transformer: the Jacobian as a matrix, slices, a loop over the two parts."""
import numpy as np
import torch

from minigpt.reference import multi_head_attention as our_heads
from minigpt.reference.feed_forward import feed_forward_forward
from minigpt.reference.transformer import norm_forward, part


def norm(x, name, params, config):
    """As in the lesson."""
    return norm_forward(x, params, name, config)[0]


def attend(x, params, config):
    """As in the lesson."""
    theta = config.rope_theta if config.positions == "rope" else None
    return our_heads.multi_head_attention_forward(x, part(params, "attention."), n_head=config.n_head, rope_theta=theta,
                                                  causal=config.causal, query_key_norm=config.query_key_norm)[0]


def feed_forward(x, params, config):
    """As in the lesson."""
    return feed_forward_forward(x, part(params, "feed_forward."), activation=config.feed_forward)[0]


def layer_norm_forward(x, weight, bias=None, eps=1e-5):
    mean = x.mean(axis=-1, keepdims=True)
    rstd = (np.var(x, axis=-1, keepdims=True) + eps) ** -0.5
    n = (x - mean) * rstd
    y = n * weight if bias is None else n * weight + bias
    return y, (n, rstd, weight, bias is not None)


def layer_norm_backward(dy, cache):
    n, rstd, weight, has_bias = cache
    C = n.shape[-1]
    dweight, dbias = np.zeros_like(weight), np.zeros_like(weight)
    dx = np.zeros_like(n)
    for place in np.ndindex(n.shape[:-1]):
        jacobian = rstd[place] * (np.eye(C, dtype=n.dtype) - 1 / C - np.outer(n[place], n[place]) / C)       # (7)
        dx[place] = jacobian.T @ (dy[place] * weight)
        dweight += dy[place] * n[place]
        dbias += dy[place]
    return dx, dweight, dbias if has_bias else None


def split_heads(x, n_head):
    return np.stack(np.split(x, n_head, axis=-1), axis=1)


def merge_heads(x):
    return np.concatenate([x[:, h] for h in range(x.shape[1])], axis=-1)


def block_forward(x, params, config):
    for name, change in (("attention", attend), ("feed_forward", feed_forward)):
        if config.norm_position == "pre":
            x = x + change(norm(x, f"{name}_norm", params, config), params, config)
        else:
            x = norm(x + change(x, params, config), f"{name}_norm", params, config)
    return x


def soft_cap_forward(x, cap):
    bent = torch.tanh(torch.tensor(x) / cap)
    return (cap * bent).numpy(), bent


def soft_cap_backward(dy, cache):
    return (torch.tensor(dy) * (1 - cache) * (1 + cache)).numpy()


def gpt_parameters(V, T, C, F, L, tied):
    def linear(n_in, n_out):
        return np.zeros((n_out, n_in)).size + n_out

    parts = {"embeddings": C * (V + T), "attention": 0, "feed-forward": 0, "norms": C + C, "output": C * V}
    for _ in range(L):
        parts["attention"] += sum(linear(C, C) for _ in "qkvo")
        parts["feed-forward"] += linear(C, F) + linear(F, C)
        parts["norms"] += 2 * (C + C)
    return parts | {"output": 0} if tied else parts
