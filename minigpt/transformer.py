"""The Transformer: embeddings, a stack of blocks, and a score for every token of the vocabulary."""
import math

import torch
from torch import nn

from minigpt.dropout import Dropout
from minigpt.embedding import Embedding
from minigpt.feed_forward import FeedForward
from minigpt.layer_norm import LayerNorm
from minigpt.linear import Linear, linear
from minigpt.multi_head_attention import MultiHeadAttention


class Block(nn.Module):
    """One block: positions exchange information, then each works on its own; both add to the stream x.

        (1) x = x + attention(layer_norm(x))
        (2) x = x + feed_forward(layer_norm(x))

    Source: Vaswani et al. 2017, arXiv:1706.03762; norm first, as in GPT-2 (Radford et al. 2019).
    """

    def __init__(self, config):
        super().__init__()
        C, bias, rate = config.d_model, config.bias, config.dropout
        self.attention_norm = LayerNorm(C, bias=bias, eps=config.norm_eps)
        self.attention = MultiHeadAttention(C, config.n_head, causal=config.causal, dropout=rate, bias=bias)
        self.drop1 = Dropout(rate)
        self.feed_forward_norm = LayerNorm(C, bias=bias, eps=config.norm_eps)
        self.feed_forward = FeedForward(C, config.d_ff, activation=config.feed_forward, bias=bias)
        self.drop2 = Dropout(rate)

    def forward(self, x, key_mask=None):
        """x: (B,T,C); key_mask: (B,T) bool, True = may be attended. Returns y: (B,T,C)."""
        h = self.attention_norm(x)
        a = self.attention(h, key_mask=key_mask)                                  # (B,T,C)
        a = self.drop1(a)
        x = x + a                                                                 # (B,T,C)  (1)
        h = self.feed_forward_norm(x)
        f = self.feed_forward(h)
        f = self.drop2(f)
        y = x + f                                                                 # (B,T,C)  (2)
        return y


class Transformer(nn.Module):
    """Scores for the next token at every position.

        (5) x = E[ids] + P[0 .. T-1]                     (token and position embeddings)
        (6) x = block_L( ... block_1(x))
        (7) logits = layer_norm(x) W^T                   (W = E when the embeddings are tied)

    config: a TransformerConfig. generator: torch.Generator for the initial weights; None takes torch's own.
    Source: Radford et al. 2019 (GPT-2); tied embeddings, Press & Wolf 2017, arXiv:1608.05859.
    """

    def __init__(self, config, *, generator=None):
        super().__init__()
        self.config = config
        self.token_embedding = Embedding(config.vocab_size, config.d_model)
        self.position_embedding = Embedding(config.context_length, config.d_model)
        self.drop = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.final_norm = LayerNorm(config.d_model, bias=config.bias, eps=config.norm_eps)
        if not config.tied_embeddings:
            self.output = Linear(config.d_model, config.vocab_size, bias=False)
        self._initialise(generator)

    @property
    def n_parameters(self):
        """How many numbers are learned; a tied embedding counts once."""
        return sum(p.numel() for p in self.parameters())

    def forward(self, ids, key_mask=None):
        """ids: (B,T) integers below V; key_mask: (B,T) bool, True = may be attended. Returns logits: (B,T,V).

        Raises ValueError if T is longer than the context.
        """
        T = ids.shape[1]
        if self.config.context_length < T:
            raise ValueError(f"{T} tokens do not fit context_length={self.config.context_length}; "
                             f"pass the last ones only")
        token = self.token_embedding(ids)                                         # (B,T,C)
        position = self.position_embedding(torch.arange(T, device=ids.device))    # (T,C)
        x = self.drop(token + position)                                           # (B,T,C)  (5)
        for block in self.blocks:
            x = block(x, key_mask=key_mask)                                       # (B,T,C)  (6)
        h = self.final_norm(x)
        W = self.token_embedding.weight if self.config.tied_embeddings else self.output.weight
        logits = linear(h, W)                                                     # (B,T,V)  (7)
        return logits

    @torch.no_grad()
    def _initialise(self, generator):
        """GPT-2's: normal, 0.02 wide; what writes to the stream is narrower by sqrt(2 L), as it is added 2 L times."""
        for name, p in self.named_parameters():
            if p.ndim == 2:
                narrower = math.sqrt(2 * self.config.n_layer) if name.endswith(("output.weight", "down.weight")) \
                    and name.startswith("blocks.") else 1
                p.normal_(0, 0.02 / narrower, generator=generator)


def block(x, params, config, *, key_mask=None):
    """Block as a function of its parameters, with the reference's signature; no dropout."""
    with torch.device("meta"):
        module = Block(config).eval()
    return torch.func.functional_call(module, params, (x,), {"key_mask": key_mask})


def transformer(ids, params, config, *, key_mask=None):
    """Transformer as a function of its parameters, with the reference's signature; no dropout."""
    with torch.device("meta"):
        module = Transformer(config).eval()
    return torch.func.functional_call(module, params, (ids,), {"key_mask": key_mask})
