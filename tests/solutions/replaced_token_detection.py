"""One right answer to the exercise masked_lm.4."""
import numpy as np


def replaced_token_detection_forward(scores, ids, corrupted, key_mask):
    """loss = 1/N sum_i log(1 + exp(score_i)) - score_i r_i,   r_i = 1[corrupted_i is not id_i], over the N tokens"""
    replaced = (corrupted != ids).astype(scores.dtype)                            # (B,T)
    surprise = np.logaddexp(0, scores) - scores * replaced                        # (B,T)
    n = max(int(key_mask.sum()), 1)
    loss = np.where(key_mask, surprise, 0).sum() / n
    return loss.astype(scores.dtype), (scores, replaced, key_mask, n)


def replaced_token_detection_backward(dy, cache):
    """dscore_i = dy / N (sigmoid(score_i) - r_i), 0 for padding"""
    scores, replaced, key_mask, n = cache
    p = np.exp(-np.logaddexp(0, -scores))                                         # (B,T)  the sigmoid
    return (np.where(key_mask, p - replaced, 0) * (dy / n)).astype(scores.dtype)
