"""A head on the Transformer: which class a text belongs to, or each of its tokens."""
import torch
from torch import nn

from minigpt.linear import Linear
from minigpt.pooling import POOLINGS, pooling
from minigpt.transformer import Transformer

SMALLEST = 1e-12        # a vector of 0 stays 0


class Classifier(nn.Module):
    """Scores of K classes for each text, or for each token.

        (1) h = hidden(ids)                                   (the Transformer without its output layer)
        (2) z = pooling(h): one vector a text; for each token itself if how is "tokens"; if unit, z / |z|
        (3) logits = z W^T + b

    trunk: a Transformer, which is used as it is. n_classes: K. how: first, mean, last or tokens.
    unit: scale each vector to length 1, as vectors that are made for comparing by their angle are read best.
    generator: torch.Generator for the weight of the head.
    Raises ValueError for another `how`.
    Source: Devlin et al. 2018, arXiv:1810.04805, sections 4.1 and 5.3.
    """

    def __init__(self, trunk, n_classes, *, how="mean", unit=False, generator=None):
        super().__init__()
        if how not in (*POOLINGS, "tokens"):
            raise ValueError(f"how={how!r} is not one of {', '.join(POOLINGS)}, tokens")
        self.trunk, self.how, self.unit = trunk, how, unit
        self.head = Linear(trunk.config.d_model, n_classes, generator=generator)

    def forward(self, ids, key_mask=None, token_types=None):
        """ids: (B,T); key_mask: (B,T) bool, True = a token, False = padding. Returns logits: (B,K), or (B,T,K)."""
        h = self.trunk.hidden(ids, key_mask, token_types)                         # (B,T,C)  (1)
        logits = self.head(self.pooled(h, key_mask))                              # (B,K)  (3)
        return logits

    def pooled(self, h, key_mask=None):
        """What the head reads. h: (B,T,C). Returns z: (B,C), or (B,T,C)."""
        z = h if self.how == "tokens" else pooling(h, key_mask, self.how)         # (B,C)  (2)
        length = z.norm(dim=-1, keepdim=True).clamp(min=SMALLEST) if self.unit else None          # (B,1)
        z = z / length if self.unit else z                                        # (B,C)  (2)
        return z


def without_head(weights):
    """({name: weight} of the Transformer, those of the head) in a Classifier's weights, or in a Transformer's own."""
    head = {name: weight for name, weight in weights.items() if name.startswith("head.")}
    return {name.removeprefix("trunk."): weight for name, weight in weights.items() if name not in head}, head


def classifier(ids, params, config, *, how="mean", unit=False, key_mask=None, token_types=None):
    """Classifier as a function of its parameters, with the reference's signature; no dropout."""
    with torch.device("meta"):
        module = Classifier(Transformer(config), len(params["head.bias"]), how=how, unit=unit).eval()
    return torch.func.functional_call(module, params, (ids,), {"key_mask": key_mask, "token_types": token_types})
