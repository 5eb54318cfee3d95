"""The KV cache: the keys and values of every token that was read, kept, so that none is read twice."""
import numpy as np


class KVCache:
    """What a causal model keeps of a text, to read on where it stopped: a token's keys and values never change again.

        (1) position_t = length + t                      (t < T, the new tokens; padding is not counted: see key_mask)
        (2) keys[layer, :, :, length + t] = k_t;  values alike
        (3) a_t = attention of q_t to keys[layer, :, :, 0 .. length + t]
        (4) length = length + T                          (when all layers have read)

    The model does all of this: model(ids, cache=cache) reads the ids as what follows those that it was given before.
    config: TransformerConfig of a causal model. capacity: the most tokens of a row; None for config.context_length.
    length: tokens of each row, padding included. keys, values: (L,B,G,S,D), S the capacity; None before the first.
    ids: (B,S), the tokens that are held.
    key_mask: rows of a batch that differ in length are filled up with padding, at any place, and key_mask (B,T) is
    False there. Padding is never attended, and a row's positions count its real tokens only, so that each row reads
    as it would by itself. Later tokens are real unless they come with a key_mask too.
    Raises ValueError for a model that is not causal, for a capacity beyond the context, and when it is full.
    Source: Shazeer 2019, arXiv:1911.02150, section 2.4.
    """

    def __init__(self, config, capacity=None):
        capacity = config.context_length if capacity is None else capacity
        if not config.causal:
            raise ValueError("causal=False: what a token means there depends on later ones, so it cannot be kept")
        if not 1 <= capacity <= config.context_length:
            raise ValueError(f"capacity={capacity} must lie between 1 and context_length={config.context_length}")
        self.config, self.capacity, self.length = config, capacity, 0
        self.keys = self.values = None                        # (L,B,G,S,D)
        self.ids = None                                       # (B,S) of the tokens that are held
        self.real = None                                      # (B,S) bool, False = padding; None if there is none
        self.positions = None                                 # (T,) of the new tokens, or (B,T) with padding
        self.layers = [LayerCache(self, layer) for layer in range(config.n_layer)]

    def reserve(self, ids, key_mask=None):
        """Make place for new tokens, ids (B,T), and count their positions: (T,), or (B,T) with padding."""
        (B, T), at, end = ids.shape, self.length, self.length + ids.shape[1]
        if end > self.capacity:
            raise ValueError(f"{T} more tokens do not fit: the cache holds {at} and has room for {self.capacity}; make "
                             f"it larger (context_length={self.config.context_length}), or begin anew with the last "
                             "ones")
        if self.ids is None:
            self.ids = np.zeros((B, self.capacity), dtype=np.int64)
        if len(self.ids) != B:
            raise ValueError(f"{B} rows for a cache of {len(self.ids)}; take another cache")
        if self.real is None and key_mask is not None and not key_mask.all():
            self.real = np.ones((B, self.capacity), dtype=bool)                           # (B,S)
        self.ids[:, at:end] = ids
        self.positions = np.arange(at, end)                                               # (T,)  (1)
        if self.real is not None:
            self.real[:, at:end] = True if key_mask is None else key_mask
            counted = np.cumsum(self.real[:, :end], axis=1) - 1                           # (B,length+T)
            self.positions = np.maximum(counted, 0)[:, at:]                               # (B,T)  (1)
        return self.positions

    def advance(self):
        """The new tokens have been read by all layers. (4)"""
        self.length += self.positions.shape[-1]

    def rewind(self, length):
        """Forget all but the first `length` tokens of each row."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot go back to {length} tokens: the cache holds {self.length}")
        self.length = length

    def keep(self, ids):
        """Go back to where another text, ids (T,), begins to differ, or to its last token: what follows is to be read.

        Raises ValueError for a cache of several rows, or with padding.
        """
        if self.real is not None or (self.ids is not None and len(self.ids) > 1):
            raise ValueError("keep() compares one text with another; this cache holds several, or padding")
        n = min(self.length, len(ids) - 1)
        differs = np.flatnonzero(self.ids[0, :n] != ids[:n]) if n > 0 else ()
        self.rewind(int(differs[0]) if len(differs) else max(n, 0))


class LayerCache:
    """One layer's part of a KVCache: what multi_head_attention needs."""

    def __init__(self, whole, layer):
        self.whole, self.layer = whole, layer

    @property
    def positions(self):
        """Of the new tokens: (T,), or (B,T) with padding."""
        return self.whole.positions

    def append(self, k, v):
        """Keep the new keys and values. k, v: (B,G,T,D). Returns keys and values: (B,G,length+T,D), and key_mask."""
        whole, (B, G, T, D) = self.whole, k.shape
        at, end = whole.length, whole.length + T
        if whole.keys is None:
            shape = len(whole.layers), B, G, whole.capacity, D
            whole.keys, whole.values = np.zeros(shape, k.dtype), np.zeros(shape, v.dtype)         # (L,B,G,S,D)
        whole.keys[self.layer, :, :, at:end] = k                                                  # (2)
        whole.values[self.layer, :, :, at:end] = v
        keys, values = whole.keys[self.layer, :, :, :end], whole.values[self.layer, :, :, :end]   # (B,G,length+T,D)
        return keys, values, None if whole.real is None else whole.real[:, :end]
