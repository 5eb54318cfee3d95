"""PyTorch's own fused operators under our names: what training and generation use by default, for speed.

Each carries `contains`: the spelled-out functions that it computes inside itself. `minigpt.use` puts the
spelled-out form back when one of those is replaced by yours.
"""
import functools
import math

import torch
import torch.nn.functional as F
from torch.optim.adamw import adamw as adamw_of_torch

from minigpt.attention import attention as attention_spelled_out
from minigpt.dropout import dropout as dropout_spelled_out
from minigpt.embedding import embedding as embedding_spelled_out
from minigpt.fused_gradients import ReluSquared, RMSNorm, Rope
from minigpt.muon import JORDAN, of_one_shape
from minigpt.rope import rope as rope_spelled_out

FEW = 2**14              # numbers, that a call takes longer to begin than to go through


def contains(*names):
    """Say which of our functions a fused one computes inside itself."""
    def mark(function):
        function.contains = frozenset(names)
        return function
    return mark


@contains()
def softmax(x):
    """F.softmax, with a row of -inf giving 0 (F.softmax gives NaN)."""
    nothing = x.isneginf().all(dim=-1, keepdim=True)
    return F.softmax(x.masked_fill(nothing, 0), dim=-1).masked_fill(nothing, 0)


@contains()
def linear(x, weight, bias=None):
    """F.linear."""
    return F.linear(x, weight, bias)


@contains()
def embedding(ids, weight):
    """F.embedding. It refuses an id outside the table too, but does not say which: the spelled-out form does."""
    try:
        return F.embedding(ids, weight)
    except IndexError:
        return embedding_spelled_out(ids, weight)


@contains()
def layer_norm(x, weight, bias=None, eps=1e-5):
    """F.layer_norm over the last axis."""
    return F.layer_norm(x, weight.shape, weight, bias, eps)


@contains()
def gelu(x):
    """F.gelu."""
    return F.gelu(x)


@contains()
def gelu_tanh(x):
    """F.gelu with approximate="tanh"."""
    return F.gelu(x, approximate="tanh")


@contains()
def dropout(x, rate, generator=None):
    """F.dropout where something is dropped by PyTorch's own generator; it accepts no other."""
    if generator is not None or not 0 < rate < 1:
        return dropout_spelled_out(x, rate, generator)
    return F.dropout(x, rate)


@contains()
def cross_entropy(logits, targets, ignore_index=-100):
    """F.cross_entropy of the rows, with 0 where no target counts (F.cross_entropy gives NaN)."""
    targets = targets.reshape(-1)
    total = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets, ignore_index=ignore_index, reduction="sum")
    return total / (targets != ignore_index).sum().clamp(min=1)


@contains("softmax", "dropout")
def attention(q, k, v, *, causal=False, key_mask=None, dropout=0.0, generator=None):
    """F.scaled_dot_product_attention, causal at the bottom right (its own flag means the top left).

    It draws with PyTorch's own generator only, and what it gives a query without a key depends on the device.
    """
    (H, T), (G, S) = q.shape[1:3], k.shape[1:3]
    if generator is not None or G == 0 or H % G:
        return attention_spelled_out(q, k, v, causal=causal, key_mask=key_mask, dropout=dropout, generator=generator)
    causal = causal and T != 1                                # a single query sees every key
    if key_mask is None and (not causal or T == S):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=causal, enable_gqa=G != H)
    mask = torch.ones(T, S, dtype=torch.bool, device=q.device)
    mask = mask.tril(S - T) if causal else mask
    mask = mask if key_mask is None else mask & key_mask[:, None, None, :]                        # (B,1,T,S)
    nothing = ~mask.any(dim=-1, keepdim=True)                                                     # (B,1,T,1)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask | nothing, dropout_p=dropout, enable_gqa=G != H)
    return y.masked_fill(nothing, 0)


@contains()
def rms_norm(x, weight, eps=1e-5):
    """F.rms_norm over the last axis on a GPU, and of few rows; of many a CPU makes many passes, and ours is quicker."""
    is_small = x.numel() <= FEW and not torch.is_grad_enabled()
    return F.rms_norm(x, x.shape[-1:], weight, eps) if x.is_cuda or is_small else RMSNorm.apply(x, weight, eps)


@contains()
def rope(x, positions, theta=10000.0):
    """The turn in few passes, with cosines and sines that are kept from call to call. On a CPU."""
    T, D = x.shape[-2:]
    if D % 2 or positions.shape != (T,) or x.is_cuda:
        return rope_spelled_out(x, positions, theta)          # it says what is wrong, if something is
    cos, sin, cos_of_both, sin_with_sign = _angles(positions.numpy().tobytes(), positions.dtype, D, theta, x.dtype)
    if x.numel() <= FEW and not torch.is_grad_enabled():
        return torch.addcmul(x * cos_of_both, x.roll(D // 2, -1), sin_with_sign)
    return Rope.apply(x, cos, sin)


@functools.lru_cache(maxsize=32)
def _angles(positions, kind, D, theta, dtype):
    positions = torch.frombuffer(bytearray(positions), dtype=kind) if positions else torch.zeros(0)
    frequency = theta ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)                        # (D/2,)
    angle = positions[:, None] * frequency                                                        # (T,D/2)
    cos, sin = torch.cos(angle).to(dtype), torch.sin(angle).to(dtype)
    return cos, sin, torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


@contains()
def relu_squared(x):
    """Two passes forward, two backward."""
    return ReluSquared.apply(x)


@contains()
def silu(x):
    """F.silu."""
    return F.silu(x)


@contains()
def orthogonalise(g, steps=5, polynomials=JORDAN):
    """torch.baddbmm, which multiplies, scales and adds in one pass over a batch of matrices."""
    is_tall = g.shape[-2] > g.shape[-1]
    X = g.reshape(g.shape[:-2].numel(), *g.shape[-2:])                                            # (N,rows,columns)
    X = X.mT if is_tall else X
    X = X / torch.linalg.matrix_norm(X, keepdim=True).clamp(min=1e-7)
    for step in range(steps):
        a, b, c = polynomials[min(step, len(polynomials) - 1)]
        A = X @ X.mT                                                                              # (N,rows,rows)
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return (X.mT if is_tall else X).reshape(g.shape)


@contains("orthogonalise")
def muon(params, gradients, ms, *, lr, momentum=0.95, weight_decay=0.0, **iteration):
    """Muon with each equation for all matrices in one call. It writes into params and ms, and returns them.

    Under torch.no_grad() if they are parameters of a module.
    """
    if not len(params) == len(gradients) == len(ms):
        raise ValueError(f"{len(params)} params, {len(gradients)} gradients and {len(ms)} ms: one of each is needed")
    if not params:
        return params, ms
    torch._foreach_lerp_(ms, gradients, 1 - momentum)
    ahead = torch._foreach_lerp(gradients, ms, momentum)
    torch._foreach_mul_(params, 1 - lr * weight_decay)
    for places in of_one_shape(ahead):
        os = orthogonalise(torch.stack([ahead[i] for i in places]), **iteration)                  # (N,rows,columns)
        scale = math.sqrt(max(1, os.shape[-2] / os.shape[-1]))
        torch._foreach_add_([params[i] for i in places], os.unbind(), alpha=-lr * scale)
    return params, ms


@contains()
def adamw(params, gradients, ms, vs, step, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """PyTorch's one-kernel AdamW. It writes into params, ms and vs, and returns them: the point of it is no copy.

    All tensors are on one device; under torch.no_grad() if they are parameters of a module.
    """
    if step < 1:
        raise ValueError(f"step={step}: the steps of adamw count from 1")
    if params:
        before = torch.full((len(params),), step - 1.0, device=params[0].device)                  # it adds 1
        adamw_of_torch(params, gradients, ms, vs, [], list(before.unbind()), fused=True, amsgrad=False, beta1=beta1,
                       beta2=beta2, lr=lr, weight_decay=weight_decay, eps=eps, maximize=False)
    return params, ms, vs
