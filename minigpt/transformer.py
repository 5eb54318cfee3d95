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
from minigpt.rms_norm import RMSNorm


class Block(nn.Module):
    """One block: positions exchange information, then each works on its own; both add to the stream x.

        (1) x = x + attention(norm(x))                   (norm: layer_norm or rms_norm)
        (2) x = x + feed_forward(norm(x))
        with norm_position "post": x = norm(x + attention(x)), then x = norm(x + feed_forward(x))

    Source: Vaswani et al. 2017, arXiv:1706.03762 (post); norm first, Xiong et al. 2020, arXiv:2002.04745.
    """

    def __init__(self, config):
        super().__init__()
        C, bias, rate = config.d_model, config.bias, config.dropout
        self.norm_first = config.norm_position == "pre"
        self.attention_norm = new_norm(config)
        self.attention = MultiHeadAttention(
            C, config.n_head, config.n_kv_head, causal=config.causal, dropout=rate, bias=bias,
            rope_theta=rope_theta(config), query_key_norm=config.query_key_norm)
        self.drop1 = Dropout(rate)
        self.feed_forward_norm = new_norm(config)
        self.feed_forward = FeedForward(C, config.d_ff, activation=config.feed_forward, bias=bias)
        self.drop2 = Dropout(rate)

    def forward(self, x, key_mask=None, cache=None):
        """x: (B,T,C); key_mask: (B,T) bool, True = may be attended; cache: a layer of a KVCache. Returns y: (B,T,C)."""
        h = self.attention_norm(x) if self.norm_first else x
        a = self.attention(h, key_mask=key_mask, cache=cache)                     # (B,T,C)
        a = self.drop1(a)
        x = x + a                                                                 # (B,T,C)  (1)
        x = x if self.norm_first else self.attention_norm(x)
        h = self.feed_forward_norm(x) if self.norm_first else x
        f = self.feed_forward(h)
        f = self.drop2(f)
        y = x + f                                                                 # (B,T,C)  (2)
        y = y if self.norm_first else self.feed_forward_norm(y)
        return y


class Transformer(nn.Module):
    """Scores for the next token at every position.

        (5) x = E[ids] + P[0 .. T-1] + S[token_types]    (no P with rope; no S without token_types)
            with embedding_norm: x = norm(x)             (with a cache, positions go on where it ends)
        (6) x = block_L( ... block_1(x))
        (7) logits = norm(x) W^T                         (no norm with "post"; W = E when they are tied)

    config: a TransformerConfig. generator: torch.Generator for the initial weights; None takes torch's own.
    Source: Radford et al. 2019 (GPT-2); tied embeddings, Press & Wolf 2017, arXiv:1608.05859; token types and the norm
    of embeddings, Devlin et al. 2018 (BERT), arXiv:1810.04805.
    """

    def __init__(self, config, *, generator=None):
        super().__init__()
        self.config = config
        self.token_embedding = Embedding(config.vocab_size, config.d_model)
        if config.positions == "learned":
            self.position_embedding = Embedding(config.context_length, config.d_model)
        if config.token_types:
            self.token_type_embedding = Embedding(config.token_types, config.d_model)
        if config.embedding_norm:
            self.embedding_norm = new_norm(config)
        self.drop = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        if config.norm_position == "pre":
            self.final_norm = new_norm(config)
        if not config.tied_embeddings:
            self.output = Linear(config.d_model, config.vocab_size, bias=False)
        self._initialise(generator)

    @property
    def n_parameters(self):
        """How many numbers are learned; a tied embedding counts once."""
        return sum(p.numel() for p in self.parameters())

    @property
    def output_weight(self):
        """W of equation (7): (V,C), the embeddings of the tokens if they are tied."""
        return self.token_embedding.weight if self.config.tied_embeddings else self.output.weight

    def forward(self, ids, key_mask=None, token_types=None, cache=None):
        """ids: (B,T) integers below V; the others as in `hidden`. Returns logits: (B,T,V)."""
        h = self.hidden(ids, key_mask, token_types, cache)                        # (B,T,C)
        return self.score(h)                                                      # (B,T,V)

    def score(self, h):
        """From what `hidden` returns, (...,C), to logits: (...,V)."""
        if hasattr(self, "output"):                    # not tied, or tied and then quantized: codes of its own
            return self.output(h)                                                 # (...,V)  (7)
        return linear(h, self.token_embedding.weight)                             # (...,V)  (7)

    def hidden(self, ids, key_mask=None, token_types=None, cache=None):
        """What the output layer reads: a vector for each token, which has seen the others.

        ids: (B,T); key_mask: (B,T) bool, True = may be attended; token_types: (B,T) below config.token_types, or None
        for 0. cache: a KVCache with the tokens before these, which it takes in too. Returns h: (B,T,C).
        Raises ValueError if T is longer than the context, or for types where the model has none.
        """
        require_fit(ids.shape[1], token_types, self.config)
        positions = torch.arange(ids.shape[1], device=ids.device) if cache is None else cache.reserve(ids, key_mask)
        x = self.token_embedding(ids)                                             # (B,T,C)
        if self.config.positions == "learned":
            x = x + self.position_embedding(positions)                            # (B,T,C)  (5)
        if self.config.token_types:
            types = torch.zeros_like(ids) if token_types is None else token_types
            x = x + self.token_type_embedding(types)                              # (B,T,C)  (5)
        if self.config.embedding_norm:
            x = self.embedding_norm(x)
        x = self.drop(x)
        for i, block in enumerate(self.blocks):
            x = block(x, key_mask=key_mask, cache=cache and cache.layers[i])      # (B,T,C)  (6)
        if cache is not None:
            cache.advance()
        return self.final_norm(x) if self.config.norm_position == "pre" else x

    @torch.no_grad()
    def _initialise(self, generator):
        """GPT-2's: normal, 0.02 wide; what writes to the stream is narrower by sqrt(2 L), as it is added 2 L times.

        With zero_init, what writes to the stream is 0 and so is an untied output layer: the model begins as
        embeddings that nothing was added to, and guesses uniformly.
        """
        for name, p in self.named_parameters():
            if p.ndim == 2:
                writes = name.endswith(("output.weight", "down.weight"))
                narrower = math.sqrt(2 * self.config.n_layer) if writes and name.startswith("blocks.") else 1
                p.normal_(0, 0.02 / narrower, generator=generator)
                if self.config.zero_init and writes:
                    p.zero_()


def require_fit(T, token_types, config):
    """Raise ValueError if T tokens are more than the context, or have types that the model does not know."""
    if config.context_length < T:
        raise ValueError(f"{T} tokens do not fit context_length={config.context_length}; pass the last ones only")
    if token_types is not None and not config.token_types:
        raise ValueError("this model knows no token types; leave them out, or make it with token_types=2")


def new_norm(config):
    """The norm that a config names, with weights at their start."""
    if config.norm == "rms_norm":
        return RMSNorm(config.d_model, eps=config.norm_eps)
    return LayerNorm(config.d_model, bias=config.bias, eps=config.norm_eps)


def rope_theta(config):
    """theta of rope, or None where positions are learned."""
    return config.rope_theta if config.positions == "rope" else None


def block(x, params, config, *, key_mask=None, cache=None):
    """Block as a function of its parameters, with the reference's signature; no dropout."""
    with torch.device("meta"):
        module = Block(config).eval()
    return torch.func.functional_call(module, params, (x,), {"key_mask": key_mask, "cache": cache})


def transformer(ids, params, config, *, key_mask=None, token_types=None, cache=None):
    """Transformer as a function of its parameters, with the reference's signature; no dropout."""
    return _call(Transformer, ids, params, config, key_mask, token_types, cache)


def hidden(ids, params, config, *, key_mask=None, token_types=None, cache=None):
    """Transformer.hidden as a function of its parameters, with the reference's signature; no dropout."""
    return _call(_WithoutOutput, ids, params, config, key_mask, token_types, cache)


class _WithoutOutput(Transformer):
    forward = Transformer.hidden


def _call(kind, ids, params, config, key_mask, token_types, cache):
    with torch.device("meta"):
        module = kind(config).eval()
    return torch.func.functional_call(module, params, (ids, key_mask, token_types, cache))
