"""Multi-head attention: H attentions side by side, each in its own columns, then mixed."""
import torch
from torch import nn

from minigpt.attention import attention
from minigpt.linear import Linear
from minigpt.rms_norm import rms_norm
from minigpt.rope import rope


def split_heads(x, n_head):
    """Head h takes columns h D to (h + 1) D: (B,T,C) -> (B,H,T,D)."""
    B, T, C = x.shape
    return x.reshape(B, T, n_head, C // n_head).transpose(1, 2)


def merge_heads(x):
    """The reverse of split_heads: (B,H,T,D) -> (B,T,C)."""
    B, H, T, D = x.shape
    return x.transpose(1, 2).reshape(B, T, H * D)


class MultiHeadAttention(nn.Module):
    """Ask (query), answer (key), and pass on (value), in H heads at once; then mix what the heads found.

        (1) q = x W_query^T + b_query,   k = x W_key^T + b_key,   v = x W_value^T + b_value
        (2) q, k, v = their columns, D to each head       (k and v may have fewer heads: G)
        (3) q, k = rms_norm(q), rms_norm(k)               (each head by itself; only with query_key_norm)
        (4) q, k = rope(q), rope(k)                       (only with rope_theta)
        (5) a = attention(q, k, v)                        (each head by itself)
        (6) a = the heads' columns, side by side again
        (7) y = a W_output^T + b_output

    d_model: C. n_head: H. n_kv_head: G; None means H. causal: a position attends to itself and to earlier ones
    only. dropout: probability of leaving out an attention weight while training, drawn with PyTorch's own
    generator. bias: in all four. rope_theta: None for no rope.
    Raises ValueError if H does not divide C, or G does not divide H.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2; G < H, Ainslie et al. 2023, arXiv:2305.13245;
    rope, Su et al. 2021, arXiv:2104.09864; query and key norm, Henry et al. 2020, arXiv:2010.04245.
    """

    def __init__(self, d_model, n_head, n_kv_head=None, *, causal=False, dropout=0.0, bias=True, rope_theta=None,
                 query_key_norm=False):
        super().__init__()
        n_kv_head = n_head if n_kv_head is None else n_kv_head
        if d_model % n_head or n_head % n_kv_head:
            raise ValueError(f"each must divide the one before: d_model={d_model}, n_head={n_head}, "
                             f"n_kv_head={n_kv_head}")
        self.n_head, self.n_kv_head, self.causal, self.dropout = n_head, n_kv_head, causal, dropout
        self.rope_theta, self.query_key_norm = rope_theta, query_key_norm
        shared = d_model // n_head * n_kv_head                                            # G D
        self.query = Linear(d_model, d_model, bias=bias)
        self.key = Linear(d_model, shared, bias=bias)
        self.value = Linear(d_model, shared, bias=bias)
        self.output = Linear(d_model, d_model, bias=bias)

    def forward(self, x, key_mask=None, cache=None):
        """x: (B,T,C); key_mask: (B,T) bool, True = may be attended. Returns y: (B,T,C).

        cache: a layer of a KVCache, whose keys and values come before those of x, and which says what key_mask is.
        """
        q = self.query(x)                                                                 # (B,T,C)  (1)
        k = self.key(x)                                                                   # (B,T,G*D)
        v = self.value(x)                                                                 # (B,T,G*D)
        q = split_heads(q, self.n_head)                                                   # (B,H,T,D)  (2)
        k = split_heads(k, self.n_kv_head)                                                # (B,G,T,D)
        v = split_heads(v, self.n_kv_head)                                                # (B,G,T,D)
        if self.query_key_norm:
            q = rms_norm(q, None)                                                         # (B,H,T,D)  (3)
            k = rms_norm(k, None)                                                         # (B,G,T,D)
        if self.rope_theta is not None:
            positions = torch.arange(x.shape[1], device=x.device) if cache is None else cache.positions   # (T,)
            q = rope(q, positions, self.rope_theta)                                       # (B,H,T,D)  (4)
            k = rope(k, positions, self.rope_theta)                                       # (B,G,T,D)
        if cache is not None:
            k, v, key_mask = cache.append(k, v)                                           # (B,G,S,D)
        dropped = {"dropout": self.dropout} if self.training and self.dropout else {}     # else it need not know
        a = attention(q, k, v, causal=self.causal, key_mask=key_mask, **dropped)          # (B,H,T,D)  (5)
        a = merge_heads(a)                                                                # (B,T,C)  (6)
        y = self.output(a)                                                                # (B,T,C)  (7)
        return y


def multi_head_attention(x, params, *, n_head, causal=False, key_mask=None, rope_theta=None, query_key_norm=False,
                         cache=None):
    """MultiHeadAttention as a function of its parameters, with the reference's signature; no dropout.

    x: (B,T,C). params: "query.weight" (C,C), "query.bias" (C,), so for output; key and value have G D rows and
    not C, which says what G is. The biases may be absent. cache: a layer of a KVCache. Returns y: (B,T,C).
    """
    C = x.shape[-1]
    n_kv_head = len(params["key.weight"]) * n_head // C
    with torch.device("meta"):
        module = MultiHeadAttention(C, n_head, n_kv_head, causal=causal, bias="query.bias" in params,
                                    rope_theta=rope_theta, query_key_norm=query_key_norm).eval()
    return torch.func.functional_call(module, params, (x,), {"key_mask": key_mask, "cache": cache})
