"""Schedules: the learning rate of each step. `warmup_cosine` is beside the optimisers."""
from minigpt.swap import replaceable


@replaceable
def warmup_constant(step, *, steps, warmup, lr):
    """The learning rate of a step: up to lr in a straight line, and there it stays.

        (1) rate = lr (step + 1) / (warmup + 1)                (step < warmup)
        (2) rate = lr                                          (from then on)

    step: counts from 0. steps: of the whole training; it changes nothing here. warmup: steps.
    Returns the learning rate, a float.
    """
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)                 # (1)
    return lr                                                 # (2)


@replaceable
def warmup_linear(step, *, steps, warmup, lr):
    """The learning rate of a step: up to lr in a straight line, then down to 0 in another.

        (3) rate = lr (step + 1) / (warmup + 1)                (step < warmup)
        (4) done = (step - warmup) / (steps - warmup)
        (5) rate = lr (1 - done)

    step: counts from 0; the rate is lr at step = warmup, and 0 from step = steps on. warmup: steps.
    Returns the learning rate, a float.
    Source: Devlin et al. 2018, arXiv:1810.04805, train BERT with it.
    """
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)                 # (3)
    if step >= steps:
        return 0.0
    done = (step - warmup) / (steps - warmup)                 # (4)
    return lr * (1 - done)                                    # (5)
