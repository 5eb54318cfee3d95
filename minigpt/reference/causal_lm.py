"""Causal language modelling: from the tokens so far, predict the next."""
from minigpt.reference.cross_entropy import cross_entropy_backward, cross_entropy_forward


def causal_lm_forward(logits, ids, ignore_index=-100):
    """Cross-entropy of each next token, given those before it.

        (1) loss = 1/N sum_bt -log p(ids_b,t+1 | ids_b,0 ... ids_b,t)         (t = 0 ... T - 1)

    logits: (B, T, V), the model's answer to ids[:, :-1]; ids: (B, T + 1) token ids. The first token is never
    predicted, the last never read. A target that is ignore_index is not counted among the N.
    Returns loss: a number, nats per counted token; and the cache that causal_lm_backward needs.
    Raises ValueError if the lengths do not fit.
    Source: Bengio et al. 2003, section 2; Radford et al. 2018 (GPT), equation 1.
    """
    B, T, _ = logits.shape
    if ids.shape != (B, T + 1):
        raise ValueError(f"logits for {(B, T)} positions need ids of shape {(B, T + 1)}, got {tuple(ids.shape)}: "
                         f"run the model on ids[:, :-1] and pass all of ids here")
    targets = ids[:, 1:]                                      # (B, T)
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)        # ()  (1)
    return loss, cache


def causal_lm_backward(dy, cache):
    """Gradient of the loss with respect to the logits.

        (2) dlogits_btv = dy / N (p_bt(v) - 1[v = ids_b,t+1])

    dy: a number. Returns dlogits: (B, T, V).
    """
    return cross_entropy_backward(dy, cache)                  # (B, T, V)  (2)
