"""Typical wrong answers for masked language modelling."""
import numpy as np

from minigpt.reference.cross_entropy import cross_entropy_forward
from mistakes import mistake


def hide(ids, rng, *, mask_id, vocab_size, special_ids=(), rate=0.15, ignore_index=-100, shares=(0.8, 0.1),
         chosen=None, drawn_from=None, counted=None):
    """mask_tokens with one thing made otherwise."""
    if not 0 <= rate <= 1:
        raise ValueError("rate")
    special = np.array(sorted({mask_id, *special_ids}))
    ordinary = np.setdiff1d(np.arange(vocab_size), special) if drawn_from is None else drawn_from
    if not len(np.setdiff1d(np.arange(vocab_size), special)):
        raise ValueError("special")
    if chosen is None:
        chosen = (rng.random(ids.shape) < rate) & ~np.isin(ids, special)
    u = rng.random(ids.shape)
    drawn = ordinary[rng.integers(0, len(ordinary), ids.shape)]
    hidden, replaced = u < shares[0], (u >= shares[0]) & (u < shares[0] + shares[1])
    masked = np.where(chosen & hidden, mask_id, np.where(chosen & replaced, drawn, ids))
    counted = chosen if counted is None else counted(chosen, hidden, replaced)
    return masked, np.where(counted, ids, ignore_index)


@mistake("mask_tokens", "all chosen tokens become [MASK]; 10% should be replaced and 10% kept (equation 2)")
def always_the_mask(ids, rng, **options):
    return hide(ids, rng, shares=(1.0, 0.0), **options)


@mistake("mask_tokens", "80% are hidden and 20% replaced: none of the chosen is kept (equation 2)")
def none_is_kept(ids, rng, **options):
    return hide(ids, rng, shares=(0.8, 0.2), **options)


@mistake("mask_tokens", "half of all chosen are replaced, not half of what is left after hiding (equation 2)")
def half_of_all_replaced(ids, rng, **options):
    return hide(ids, rng, shares=(0.8, 0.2 * 0.9), **options)


@mistake("mask_tokens", "81, 10 and 9 percent: replacing was drawn before hiding, from all chosen (equation 2)")
def eighty_one_ten_nine(ids, rng, **options):
    return hide(ids, rng, shares=(0.81, 0.1), **options)


@mistake("mask_tokens", "72, 10 and 18 percent: replacing was drawn anew, and takes hidden ones too (equation 2)")
def replaced_after_hiding(ids, rng, *, mask_id, vocab_size, special_ids=(), rate=0.15, ignore_index=-100):
    special = np.array(sorted({mask_id, *special_ids}))
    ordinary = np.setdiff1d(np.arange(vocab_size), special)
    if not 0 <= rate <= 1 or not len(ordinary):
        raise ValueError("rate")
    masked, chosen = ids.copy(), (rng.random(ids.shape) < rate) & ~np.isin(ids, special)
    masked[chosen & (rng.random(ids.shape) < 0.8)] = mask_id
    drawn = chosen & (rng.random(ids.shape) < 0.1)
    masked[drawn] = ordinary[rng.integers(len(ordinary), size=drawn.sum())]
    return masked, np.where(chosen, ids, ignore_index)


@mistake("mask_tokens", "special tokens are chosen as well (equation 1)")
def special_tokens_are_chosen(ids, rng, *, rate=0.15, **options):
    return hide(ids, rng, rate=rate, chosen=rng.random(ids.shape) < rate, **options)


@mistake("mask_tokens", "special tokens are drawn as replacements (equation 2)")
def special_tokens_are_drawn(ids, rng, *, vocab_size, **options):
    return hide(ids, rng, vocab_size=vocab_size, drawn_from=np.arange(vocab_size), **options)


@mistake("mask_tokens", "chosen tokens that stay are no targets; they are to be guessed as well (equation 3)")
def kept_tokens_are_not_counted(ids, rng, **options):
    return hide(ids, rng, counted=lambda chosen, hidden, replaced: chosen & (hidden | replaced), **options)


@mistake("mask_tokens", "every token is a target, also those that are in plain view (equation 3)")
def every_token_is_a_target(ids, rng, **options):
    return hide(ids, rng, counted=lambda chosen, hidden, replaced: np.ones_like(chosen), **options)


@mistake("mask_tokens", "whole columns are chosen: each token is drawn by itself (equation 1)")
def whole_columns(ids, rng, *, rate=0.15, **options):
    column = rng.random(ids.shape[-1:]) < rate
    special = np.isin(ids, sorted({options["mask_id"], *options["special_ids"]}))
    return hide(ids, rng, rate=rate, chosen=np.broadcast_to(column, ids.shape) & ~special, **options)


@mistake("mask_tokens", "the same tokens are hidden each time: the generator is made anew inside")
def always_the_same(ids, rng, **options):
    return hide(ids, np.random.default_rng(0), **options)


@mistake("mask_tokens", "one token is drawn for all places; each place draws its own (equation 2)")
def one_replacement_for_all(ids, rng, *, vocab_size, **options):
    special = {options["mask_id"], *options["special_ids"]}
    ordinary = [token for token in range(vocab_size) if token not in special] or [0]
    return hide(ids, rng, vocab_size=vocab_size, drawn_from=np.array([ordinary[int(rng.integers(len(ordinary)))]]),
                **options)


@mistake("mask_tokens", "the targets are the masked tokens, not those that were there (equation 3)")
def targets_after_hiding(ids, rng, *, ignore_index=-100, **options):
    masked, targets = hide(ids, rng, ignore_index=ignore_index, **options)
    return masked, np.where(targets == ignore_index, ignore_index, masked)


@mistake("mask_tokens", "ids itself is overwritten: an input must be left as it was")
def writes_into_ids(ids, rng, **options):
    masked, targets = hide(ids, rng, **options)
    ids[...] = masked
    return ids, targets


@mistake("masked_lm_forward", "targets are shifted by one: a hidden token is guessed at its own place")
def shifted(logits, targets, ignore_index=-100):
    if targets.shape != logits.shape[:-1]:
        raise ValueError("shape")
    moved = np.concatenate([targets[:, 1:], np.full_like(targets[:, :1], ignore_index)], axis=1)
    return cross_entropy_forward(logits, moved, ignore_index)


@mistake("masked_lm_forward", "the sum is divided by all positions, not by the chosen ones (equation 4)")
def divided_by_all_positions(logits, targets, ignore_index=-100):
    if targets.shape != logits.shape[:-1]:
        raise ValueError("shape")
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return loss * np.mean(targets != ignore_index).astype(loss.dtype), cache


@mistake("masked_lm_forward", "targets of another shape are not refused")
def any_shape(logits, targets, ignore_index=-100):
    n = min(logits[..., 0].size, targets.size)
    return cross_entropy_forward(logits.reshape(-1, logits.shape[-1])[:n], targets.reshape(-1)[:n], ignore_index)
