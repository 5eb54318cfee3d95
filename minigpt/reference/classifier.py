"""A head on the Transformer: which class a text belongs to, or each of its tokens."""
from collections import namedtuple

import numpy as np

from minigpt.reference.linear import linear_backward, linear_forward
from minigpt.reference.pooling import pooling_backward, pooling_forward
from minigpt.reference.transformer import hidden_backward, hidden_forward, part, whole

SMALLEST = 1e-12        # a vector of 0 stays 0
ClassifierCache = namedtuple("ClassifierCache", "hidden pooled unit head")


def classifier_forward(ids, params, config, *, how="mean", unit=False, key_mask=None, token_types=None):
    """Scores of K classes for each text, or for each token.

        (1) h = hidden(ids)                                   (the Transformer without its output layer)
        (2) z = pooling(h): one vector a text; for each token itself if how is "tokens"; if unit, z / |z|
        (3) logits = z W^T + b

    ids: (B,T). params: "trunk.*" as in the Transformer's state_dict, "head.weight" (K,C), "head.bias" (K,).
    config: of the trunk. how: first, mean, last or tokens. unit: scale each vector to length 1, as vectors
    that are made for comparing by their angle are read best. key_mask: (B,T) bool, True = a token, False = padding.
    Returns logits: (B,K), or (B,T,K) for tokens; and the cache that classifier_backward needs.
    Source: Devlin et al. 2018, arXiv:1810.04805, sections 4.1 and 5.3.
    """
    h, hidden = hidden_forward(ids, part(params, "trunk."), config, key_mask=key_mask,
                               token_types=token_types)                           # (B,T,C)  (1)
    z, pooled = (h, None) if how == "tokens" else pooling_forward(h, key_mask, how)               # (B,C)  (2)
    length = np.maximum(np.sqrt((z * z).sum(axis=-1, keepdims=True)), SMALLEST) if unit else None  # (B,1)
    z = z / length if unit else z                                                 # (B,C)  (2)
    logits, head = linear_forward(z, params["head.weight"], params["head.bias"])                  # (B,K)  (3)
    return logits, ClassifierCache(hidden, pooled, (z, length), head)


def classifier_backward(dlogits, cache):
    """From the scores back to every parameter of head and trunk.

        (4) dz, dW, db = gradient of (3)
        (5) dh = gradient of (2) for dz; if unit, for (dz - z (z . dz)) / length in its place
        (6) dparams of the trunk = gradient of (1) for dh; what only the output layer uses gets 0

    dlogits: the shape of logits. Returns dparams with the keys of params.
    """
    dz, dW, db = linear_backward(dlogits, cache.head)                             # (B,C)  (4)
    z, length = cache.unit
    dz = dz if length is None else (dz - z * (z * dz).sum(axis=-1, keepdims=True)) / length       # (B,C)  (5)
    dh = dz if cache.pooled is None else pooling_backward(dz, cache.pooled)       # (B,T,C)  (5)
    return whole("trunk.", hidden_backward(dh, cache.hidden)) | {"head.weight": dW, "head.bias": db}      # (6)
