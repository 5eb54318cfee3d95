"""Multi-head attention: H attentions side by side, each in its own columns, then mixed."""
import torch
from torch import nn

from minigpt.attention import attention
from minigpt.linear import Linear


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
        (2) q, k, v = their columns, D to each head
        (3) a = attention(q, k, v)                        (each head by itself)
        (4) a = the heads' columns, side by side again
        (5) y = a W_output^T + b_output

    d_model: C. n_head: H. causal: a position attends to itself and to earlier ones only. dropout: probability
    of leaving out an attention weight while training, drawn with PyTorch's own generator. bias: in all four.
    Raises ValueError if H does not divide C.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    def __init__(self, d_model, n_head, *, causal=False, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_head:
            raise ValueError(f"d_model={d_model} is not divisible by n_head={n_head}")
        self.n_head, self.causal, self.dropout = n_head, causal, dropout
        self.query = Linear(d_model, d_model, bias=bias)
        self.key = Linear(d_model, d_model, bias=bias)
        self.value = Linear(d_model, d_model, bias=bias)
        self.output = Linear(d_model, d_model, bias=bias)

    def forward(self, x, key_mask=None):
        """x: (B,T,C); key_mask: (B,T) bool, True = may be attended. Returns y: (B,T,C)."""
        q = self.query(x)                                                                 # (B,T,C)  (1)
        k = self.key(x)                                                                   # (B,T,C)
        v = self.value(x)                                                                 # (B,T,C)
        q, k, v = (split_heads(z, self.n_head) for z in (q, k, v))                        # (B,H,T,D)  (2)
        dropped = {"dropout": self.dropout} if self.training and self.dropout else {}     # else it need not know
        a = attention(q, k, v, causal=self.causal, key_mask=key_mask, **dropped)          # (B,H,T,D)  (3)
        a = merge_heads(a)                                                                # (B,T,C)  (4)
        y = self.output(a)                                                                # (B,T,C)  (5)
        return y


def multi_head_attention(x, params, *, n_head, causal=False, key_mask=None):
    """MultiHeadAttention as a function of its parameters, with the reference's signature; no dropout.

    x: (B,T,C). params: "query.weight" (C,C), "query.bias" (C,), and so on for key, value, output; the biases
    may be absent. Returns y: (B,T,C).
    """
    with torch.device("meta"):
        module = MultiHeadAttention(x.shape[-1], n_head, causal=causal, bias="query.bias" in params).eval()
    return torch.func.functional_call(module, params, (x,), {"key_mask": key_mask})
