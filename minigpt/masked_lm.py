"""Masked language modelling: some tokens are hidden, and guessed from those on both sides."""
import torch

from minigpt.cross_entropy import cross_entropy
from minigpt.swap import replaceable


def mask_tokens(ids, rng, *, mask_id, vocab_size, special_ids=(), rate=0.15, ignore_index=-100):
    """Hide tokens, otherwise each time it is called (dynamic masking).

        (1) chosen_i = 1 with probability rate                (drawn for each token by itself, never for a special one)
        (2) of the chosen, 80% become [MASK], 10% a token drawn from all that are not special, 10% stay
        (3) target_i = id_i where chosen, else ignore_index   (those that stay are to be guessed as well)

    ids: any shape, integers below vocab_size; rng: torch.Generator; mask_id: of [MASK].
    special_ids: tokens that are never chosen and never drawn, [MASK] and padding among them.
    Returns (masked, targets), each of the shape of ids.
    Raises ValueError if the rate is not a probability, or every token is special.
    Source: Devlin et al. 2018, arXiv:1810.04805, section 3.1; dynamic: Liu et al. 2019, arXiv:1907.11692, section 4.1.
    """
    special = torch.tensor(sorted({mask_id, *special_ids}), device=ids.device)
    is_ordinary = torch.ones(vocab_size, dtype=torch.bool, device=ids.device).index_fill(0, special, False)
    ordinary = torch.nonzero(is_ordinary)[:, 0]
    if not 0 <= rate <= 1:
        raise ValueError(f"rate={rate} must be a probability; BERT's is 0.15")
    if not len(ordinary):
        raise ValueError(f"all {vocab_size} tokens are special: there is none to draw")
    draw = {"generator": rng, "device": ids.device}
    chosen = (torch.rand(ids.shape, **draw) < rate) & ~torch.isin(ids, special)   # (...)  (1)
    u = torch.rand(ids.shape, **draw)                                             # (...)
    drawn = ordinary[torch.randint(len(ordinary), ids.shape, **draw)]             # (...)
    masked = torch.where(chosen & (u < 0.8), mask_id, ids)                        # (...)  (2)
    masked = torch.where(chosen & (u >= 0.8) & (u < 0.9), drawn.to(ids.dtype), masked)            # (...)  (2)
    targets = torch.where(chosen, ids, ignore_index)                              # (...)  (3)
    return masked, targets


@replaceable
def masked_lm(logits, targets, ignore_index=-100):
    """Cross-entropy of the hidden tokens, given all that is not hidden.

        (4) loss = 1/N sum_i -log p(target_i | masked)         (i runs over the N chosen positions only)

    logits: (B, T, V), the model's answer to the masked ids; targets: (B, T), ignore_index where not chosen.
    Returns loss: a number, nats per chosen token, 0 if none was.
    Raises ValueError if the shapes do not fit.
    Source: Devlin et al. 2018, arXiv:1810.04805, section 3.1.
    """
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits for positions {tuple(logits.shape[:-1])} need targets of that shape, got "
                         f"{tuple(targets.shape)}: nothing is shifted here")
    loss = cross_entropy(logits, targets, ignore_index)                           # ()  (4)
    return loss
