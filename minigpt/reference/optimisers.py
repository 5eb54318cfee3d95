"""Optimisers: from gradients to new parameters."""
import math

import numpy as np


def adamw(params, gradients, ms, vs, step, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """One step of AdamW: each number moves by about lr, against its gradient's running mean.

        (1) m = beta1 m + (1 - beta1) g                        (running mean of the gradient)
        (2) v = beta2 v + (1 - beta2) g^2                      (running mean of its square)
        (3) m_hat = m / (1 - beta1^step)                       (both start at 0; this makes up for it)
        (4) v_hat = v / (1 - beta2^step)
        (5) p = p - lr (m_hat / (sqrt(v_hat) + eps) + weight_decay p)

    params, gradients, ms, vs: lists of arrays, alike in shape; ms and vs are 0 before the first step.
    step: counts from 1. lr: learning rate. weight_decay: of all that is given here; 0 for none.
    Returns the new params, ms and vs, as lists.
    Source: Kingma & Ba 2014, arXiv:1412.6980, algorithm 1; the decay, Loshchilov & Hutter 2017, arXiv:1711.05101.
    """
    if step < 1:
        raise ValueError(f"step={step}: the steps of adamw count from 1")
    new_params, new_ms, new_vs = [], [], []
    for p, g, m, v in zip(params, gradients, ms, vs, strict=True):
        m = beta1 * m + (1 - beta1) * g                       # (1)
        v = beta2 * v + (1 - beta2) * g**2                    # (2)
        m_hat = m / (1 - beta1**step)                         # (3)
        v_hat = v / (1 - beta2**step)                         # (4)
        p = p - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * p)  # (5)
        new_params.append(p)
        new_ms.append(m)
        new_vs.append(v)
    return new_params, new_ms, new_vs


def clip_gradients(gradients, max_norm):
    """Shorten all gradients together, keeping their direction, if they are longer than max_norm.

        (6) norm = sqrt(sum_i g_i^2)                           (over every number of every array)
        (7) g = g max_norm / max(norm, max_norm)

    gradients: list of arrays. max_norm: the greatest length allowed, above 0.
    Returns the new gradients, as a list, and their norm before.
    Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm={max_norm} must be greater than 0; to clip nothing, leave the call out")
    norm = np.sqrt(sum((g**2).sum() for g in gradients))      # (6)
    scale = max_norm / np.maximum(norm, max_norm)
    return [g * scale for g in gradients], norm               # (7)


def warmup_cosine(step, *, steps, warmup, lr, min_lr):
    """The learning rate of a step: up to lr in a straight line, then down to min_lr along half a cosine.

        (8) rate = lr (step + 1) / (warmup + 1)                (step < warmup)
        (9) done = (step - warmup) / (steps - warmup)
        (10) rate = min_lr + (lr - min_lr) (1 + cos(pi done)) / 2

    step: counts from 0; the rate is lr at step = warmup, and min_lr from step = steps on. warmup: steps.
    Returns the learning rate, a float.
    Source: Loshchilov & Hutter 2016, arXiv:1608.03983, section 3 (without restarts).
    """
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)                 # (8)
    if step >= steps:
        return min_lr
    done = (step - warmup) / (steps - warmup)                 # (9)
    return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * done)) / 2    # (10)
