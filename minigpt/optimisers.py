"""Optimisers: from gradients to new parameters."""
import math

import torch

from minigpt.swap import replaceable


@replaceable
def adamw(params, gradients, ms, vs, step, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """One step of AdamW: each number moves by about lr, against its gradient's running mean.

        (1) m = beta1 m + (1 - beta1) g                        (running mean of the gradient)
        (2) v = beta2 v + (1 - beta2) g^2                      (running mean of its square)
        (3) m_hat = m / (1 - beta1^step)                       (both start at 0; this makes up for it)
        (4) v_hat = v / (1 - beta2^step)
        (5) p = p - lr (m_hat / (sqrt(v_hat) + eps) + weight_decay p)

    params, gradients, ms, vs: lists of tensors, alike in shape; ms and vs are 0 before the first step.
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
        p = p - lr * (m_hat / (torch.sqrt(v_hat) + eps) + weight_decay * p)  # (5)
        new_params.append(p)
        new_ms.append(m)
        new_vs.append(v)
    return new_params, new_ms, new_vs


@replaceable
def clip_gradients(gradients, max_norm):
    """Shorten all gradients together, keeping their direction, if they are longer than max_norm.

        (6) norm = sqrt(sum_i g_i^2)                           (over every number of every tensor)
        (7) g = g max_norm / max(norm, max_norm)

    gradients: list of tensors. max_norm: the greatest length allowed, above 0.
    Returns the new gradients, as a list, and their norm before.
    Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm={max_norm} must be greater than 0; to clip nothing, leave the call out")
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))   # (6)
    scale = max_norm / torch.clamp(norm, min=max_norm)
    return [g * scale for g in gradients], norm               # (7)


@replaceable
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


class AdamW(torch.optim.Optimizer):
    """`adamw` over the parameters of a model: keeps m, v and the step, and writes the new parameters back.

    params: parameters, or groups with their own options, such as those of `decay_groups`.
    """

    def __init__(self, params, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        options = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    @torch.no_grad()
    def step(self):
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            options = {name: group[name] for name in ("lr", "beta1", "beta2", "eps", "weight_decay")}
            for step, params in self._by_step(group["params"]).items():
                states = [self.state[p] for p in params]
                news, ms, vs = adamw(params, [p.grad for p in params], [s["exp_avg"] for s in states],
                                     [s["exp_avg_sq"] for s in states], step, **options)
                for p, new, state, m, v in zip(params, news, states, ms, vs, strict=True):
                    if new is not p:                          # a fused adamw has written into p already
                        p.copy_(new)
                    state.update(exp_avg=m, exp_avg_sq=v)

    def _by_step(self, params):
        """{step: parameters whose step this is}: usually one entry, more if some were without a gradient before."""
        found = {}
        for p in params:
            if p.grad is not None:
                state = self.state[p]
                if not state:
                    state.update(step=torch.tensor(0.0), exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
                state["step"] += 1
                found.setdefault(int(state["step"]), []).append(p)
        return found


def decay_groups(named_parameters, weight_decay):
    """Two groups for AdamW: matrices, which are decayed, and vectors (biases, norms), which are not.

    named_parameters: (name, parameter) pairs, as `model.named_parameters()` gives them.
    """
    params = [p for _, p in named_parameters if p.requires_grad]
    return [{"params": [p for p in params if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0}]
