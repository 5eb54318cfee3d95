"""Other right answers to the exercises of masked_lm: one lot for each token, logarithms, PyTorch's gradient."""
import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def mask_tokens(ids, rng, *, mask_id, vocab_size, special_ids=(), rate=0.15, ignore_index=-100):
    special = {mask_id, *special_ids}
    ordinary = [token for token in range(vocab_size) if token not in special]
    if not 0 <= rate <= 1 or not ordinary:
        raise ValueError(f"rate={rate} must be a probability, and some token must be ordinary")
    fate = rng.choice(["none", "mask", "draw", "keep"], size=ids.shape,
                      p=[1 - rate, 0.8 * rate, 0.1 * rate, 0.1 * rate])
    for token in special:
        fate[ids == token] = "none"
    masked = np.select([fate == "mask", fate == "draw"], [mask_id, rng.choice(ordinary, size=ids.shape)], ids)
    return masked, np.where(fate == "none", ignore_index, ids)


def masked_lm_forward(logits, targets, ignore_index=-100):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {targets.shape} do not fit logits {logits.shape}")
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    places = [place for place in np.ndindex(targets.shape) if targets[place] != ignore_index]
    losses = [-log_p[(*place, targets[place])] for place in places]
    return (np.mean(losses) if losses else 0.0), (log_p, targets, places)


def masked_lm_backward(dy, cache):
    log_p, targets, places = cache
    dlogits = np.zeros_like(log_p)
    for place in places:
        dlogits[place] = np.exp(log_p[place])
        dlogits[(*place, targets[place])] -= 1
    return dlogits * (dy / max(len(places), 1))


def sentence_pairs(documents, rng):
    full = [document for document in documents if len(document)]
    if len(full) < 2:
        raise ValueError(f"{len(full)} documents with pieces: there must be two at least")
    pairs = []
    for number, document in enumerate(full):
        others = full[:number] + full[number + 1:]
        for i, second in enumerate(document[1:]):
            first = document[i]
            if rng.random() < 0.5:
                pairs.append((first, second, 0))
            else:
                other = others[rng.choice(len(others))]
                pairs.append((first, other[rng.choice(len(other))], 1))
    return pairs


def replaced_token_detection_forward(scores, ids, corrupted, key_mask):
    leaf, there = torch.tensor(scores, requires_grad=True), torch.tensor(key_mask)
    replaced = torch.tensor(ids != corrupted)[there]
    loss = (binary_cross_entropy_with_logits(leaf[there], replaced.to(leaf.dtype)) if there.any()
            else 0 * leaf[there].sum())
    return loss.item(), (loss, leaf)


def replaced_token_detection_backward(dy, cache):
    loss, leaf = cache
    return dy * torch.autograd.grad(loss, leaf, retain_graph=True)[0].numpy()
