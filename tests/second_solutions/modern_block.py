"""Other right answers to the exercises of modern_block: complex numbers, einsum, PyTorch, a loop."""
import numpy as np
import torch

from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from minigpt.reference.rms_norm import rms_norm_backward
from minigpt.reference.rms_norm import rms_norm_forward as our_rms_norm_forward


def rope_forward(x, positions, theta=10000.0):
    T, D = x.shape[-2:]
    if D % 2 or np.shape(positions) != (T,):
        raise ValueError(f"D={D} must be even, and there must be {T} positions")
    turns = np.exp(1j * np.outer(positions, theta ** (-np.arange(0, D, 2) / D)))        # (T,D/2)
    return _turned(x, turns), turns


def rope_backward(dy, cache):
    return _turned(dy, cache.conj())


def _turned(x, turns):
    half = x.shape[-1] // 2
    z = (x[..., :half] + 1j * x[..., half:]) * turns
    return np.concatenate([z.real, z.imag], axis=-1).astype(x.dtype)


def rms_norm_forward(x, weight, eps=1e-5):
    square = np.einsum("...c,...c->...", x, x)[..., None] / x.shape[-1]
    y = x / np.sqrt(square + eps)
    return (y if weight is None else weight * y), None


def swiglu_forward(gate, up):
    gate, up = torch.tensor(gate, requires_grad=True), torch.tensor(up, requires_grad=True)
    y = torch.nn.functional.silu(gate) * up
    return y.detach().numpy(), (y, gate, up)


def swiglu_backward(dy, cache):
    y, gate, up = cache
    dgate, dup = torch.autograd.grad(y, (gate, up), torch.tensor(dy), retain_graph=True)
    return dgate.numpy(), dup.numpy()


def parallel_block_forward(x, params, config):
    names = {prefix: {name.removeprefix(prefix): p for name, p in params.items() if name.startswith(prefix)}
             for prefix in ("attention.", "feed_forward.")}
    h, norm_cache = our_rms_norm_forward(x, params["norm.weight"], config.norm_eps)
    attended, attention_cache = multi_head_attention_forward(
        h, names["attention."], n_head=config.n_head, causal=True, rope_theta=config.rope_theta)
    fed, feed_forward_cache = feed_forward_forward(h, names["feed_forward."], activation=config.feed_forward)
    branches = [("attention.", multi_head_attention_backward, attention_cache),
                ("feed_forward.", feed_forward_backward, feed_forward_cache)]
    return x + attended + fed, {"norm": norm_cache, "branches": branches}


def parallel_block_backward(dy, cache):
    dparams, dh = {}, 0
    for prefix, backward, branch in cache["branches"]:
        dh_branch, gradients = backward(dy, branch)
        dh = dh + dh_branch
        dparams |= {prefix + name: gradient for name, gradient in gradients.items()}
    dx, dparams["norm.weight"] = rms_norm_backward(dh, cache["norm"])
    return dy + dx, dparams
