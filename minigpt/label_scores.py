"""Labels by a language model: how likely is each as the answer, beside how likely it always is?"""
import torch

from minigpt.softmax import softmax
from minigpt.swap import replaceable


@replaceable
def label_scores(nats, lengths, neutral=None):
    """Probabilities of labels, from the log-probabilities that a language model gives to them as answers.

        (1) s_k = nats_k / lengths_k                          (per token: a longer label is not less likely for that)
        (2) s_k = s_k - neutral_k / lengths_k                 (only what the text adds to a prompt that says nothing)
        (3) p = softmax(s)

    nats: (..., K), the log-probability of all tokens of each label, after a prompt with the text. lengths: (K,), how
    many tokens each has. neutral: (K,), the log-probabilities after a prompt with a text that says nothing; None
    leaves (2) out. Returns p: (..., K).
    Raises ValueError for a label without tokens, and for a log-probability that is above 0, or not finite.
    Source: Zhao et al. 2021, arXiv:2102.09690, section 5, who divide the probability by that of the neutral prompt,
    which (2) does in logarithms.
    """
    _require(nats, lengths, neutral)
    per = lengths.to(nats.dtype)                              # (K,)
    s = nats / per                                            # (..., K)  (1)
    if neutral is not None:
        s = s - neutral / per                                 # (..., K)  (2)
    return softmax(s)                                         # (..., K)  (3)


def _require(nats, lengths, neutral):
    if not (lengths >= 1).all():
        raise ValueError(f"lengths={lengths.tolist()}: each label needs at least one token")
    for name, values in (("nats", nats), ("neutral", neutral)):
        if values is not None and not ((values <= 0) & torch.isfinite(values)).all():
            raise ValueError(f"{name} must be log-probabilities, at most 0 and finite; these are not: "
                             f"{values[~((values <= 0) & torch.isfinite(values))].tolist()}")
