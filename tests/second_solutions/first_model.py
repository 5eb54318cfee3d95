"""Other right answers to the exercises of first_model: PyTorch; plain Python; a loop over rows."""
import math

import numpy as np
import torch


def softmax_forward(x):
    scores = torch.tensor(x)
    impossible = torch.isneginf(scores).all(dim=-1, keepdim=True)
    return torch.where(impossible, 0, torch.softmax(scores, dim=-1)).numpy()


def cross_entropy_forward(logits, targets, ignore_index=-100):
    V, losses = logits.shape[-1], []
    for row, target in zip(logits.reshape(-1, V).tolist(), targets.reshape(-1).tolist(), strict=True):
        if target == ignore_index:
            continue
        if not 0 <= target < V:
            raise IndexError(f"target {target} is not one of {V} tokens")
        m = max(row)
        losses.append(m + math.log(sum(math.exp(z - m) for z in row)) - row[target])
    return sum(losses) / len(losses) if losses else 0


def min_p(probabilities, min_p):
    result = np.zeros_like(probabilities)
    for place in np.ndindex(probabilities.shape[:-1]):
        row = probabilities[place]
        total = sum(p for p in row if p >= min_p * max(row))
        for i, p in enumerate(row):
            if p >= min_p * max(row):
                result[(*place, i)] = p / total
    return result


predictions = {number: number in (2, 5, 8) for number in range(1, 11)}       # as claims.json has them
