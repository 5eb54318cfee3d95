"""Other right answers to the exercises of generation: Python's own sort, a search, sets, and PyTorch."""
import math

import numpy as np
import torch


def my_probabilities(logits, *, temperature=1.0, top_k=None, top_p=None):
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be a number from 0 on")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must be above 0, and at most 1")
    result = np.zeros_like(logits)
    for place in np.ndindex(logits.shape[:-1]):
        row = logits[place].tolist()
        if not math.isfinite(max(row)) or any(map(math.isnan, row)):
            raise ValueError(f"the largest logit is {max(row)}")
        if temperature < 1e-6:
            result[(*place, row.index(max(row)))] = 1
            continue
        order = sorted(range(len(row)), key=lambda i, row=row: -row[i])[:top_k]     # equal ones stay in order
        weights = [math.exp((row[i] - max(row)) / temperature) for i in order]
        kept, so_far = 0, 0.0
        while kept < len(order) and (top_p is None or so_far < top_p):
            so_far += weights[kept] / sum(weights)
            kept += 1
        for rank in range(kept):
            result[(*place, order[rank])] = weights[rank] / sum(weights[:kept])
    return result


def my_sample(p, u):
    up_to = np.cumsum(p, axis=-1)
    ids = np.empty(p.shape[:-1], dtype=np.int64)
    for place in np.ndindex(ids.shape):
        ids[place] = np.searchsorted(up_to[place], np.asarray(u)[place] * up_to[place][-1], side="right")
    return ids


def my_penalty(logits, ids, penalty):
    if not 0 < penalty < math.inf:
        raise ValueError(f"penalty={penalty} must be a positive number")
    result = logits.copy()
    for place in np.ndindex(logits.shape[:-1]):
        for i in set(ids[place].tolist()):
            result[(*place, i)] = logits[(*place, i)] / penalty if logits[(*place, i)] > 0 else (
                logits[(*place, i)] * penalty)
    return result


def typical(probabilities, mass):
    p = torch.tensor(probabilities)
    surprise = -torch.log(p)
    expected = torch.special.entr(p).sum(-1, keepdim=True)
    order = (surprise - expected).abs().sort(dim=-1, stable=True).indices
    before = torch.gather(p, -1, order).cumsum(-1) - torch.gather(p, -1, order)
    kept = torch.zeros_like(p).scatter(-1, order, (before < mass).to(p.dtype))
    return (p * kept / (p * kept).sum(-1, keepdim=True)).numpy()


def new_positions(length, real):
    rows = []
    for row in real.tolist():
        seen, places = 0, []
        for is_token in row:
            places.append(seen)
            seen += is_token
        rows.append(places[length:])
    return np.array(rows, dtype=int).reshape(len(real), -1)


def cache_cost(B, T, L, H, G, C, itemsize):
    without = kept = 0
    for n in range(1, T + 1):
        without += n
        kept += L * G * itemsize * (C / H + C / H)
    return {"bytes": B * kept, "read with": T * B, "read without": without * B}
