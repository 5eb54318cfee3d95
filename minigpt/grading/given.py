"""What lessons hand over beside a stub: functions that stand in a cell of the lesson, as the judge needs them."""
import math

import numpy as np
import torch

from minigpt.reference import cross_entropy as reference


def cross_entropy_forward(logits, targets, ignore_index=-100):
    """The loss, and the cache of the exercise backprop.2: p, the targets and ignore_index."""
    loss, _ = reference.cross_entropy_forward(logits, targets, ignore_index)
    p = torch.softmax(torch.tensor(logits), dim=-1)    # not by ours, which a release may leave out
    return loss, (p.numpy(), targets, ignore_index)


def tied_embedding_forward(before, targets, E, W, b):
    """The network of the exercise backprop.5, whose table E is used twice; the loss, and the cache."""
    e = E[before]                                                       # (N, C)  (1)
    h = np.tanh(e @ W.T + b)                                            # (N, C)  (2)
    p = torch.softmax(torch.tensor(h @ E.T), dim=-1).numpy()            # (N, V)  (3)
    loss = -np.log(p[np.arange(len(before)), targets]).mean()           # (4)
    return loss, (before, targets, E, W, e, h, p)


def by_rows(program, COLUMNS=3):
    """A softmax that runs program(x_row, y_row, COLUMNS) for each row, as the lesson softmax_kernel launches one."""
    def forward(x):
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = np.full_like(rows, np.nan)                 # what is never written can be seen
        for x_row, y_row in zip(rows, y, strict=True):
            program(x_row, y_row, COLUMNS)
        return y.reshape(x.shape)

    return forward
