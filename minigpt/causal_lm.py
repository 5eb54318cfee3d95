"""Causal language modelling: from the tokens so far, predict the next."""
from minigpt.cross_entropy import cross_entropy
from minigpt.swap import replaceable


@replaceable
def causal_lm(logits, ids, ignore_index=-100):
    """Cross-entropy of each next token, given those before it.

        (1) loss = 1/N sum_bt -log p(ids_b,t+1 | ids_b,0 ... ids_b,t)         (t = 0 ... T - 1)

    logits: (B, T, V), the model's answer to ids[:, :-1]; ids: (B, T + 1) token ids. The first token is never
    predicted, the last never read. A target that is ignore_index is not counted among the N.
    Returns loss: a number, nats per counted token.
    Raises ValueError if the lengths do not fit.
    Source: Bengio et al. 2003, section 2; Radford et al. 2018 (GPT), equation 1.
    """
    B, T, _ = logits.shape
    if ids.shape != (B, T + 1):
        raise ValueError(f"logits for {(B, T)} positions need ids of shape {(B, T + 1)}, got {tuple(ids.shape)}: "
                         f"run the model on ids[:, :-1] and pass all of ids here")
    targets = ids[:, 1:]                                      # (B, T)
    loss = cross_entropy(logits, targets, ignore_index)       # ()  (1)
    return loss
