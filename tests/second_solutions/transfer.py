"""Other right answers to the exercises of transfer: one weight for both, a loop over bins, over texts, PyTorch."""
import numpy as np
import torch


def lora_forward(x, weight, a, b, bias=None, scale=1.0):
    both = weight + scale * (b @ a)                    # what the two do together
    y = np.tensordot(x, both, axes=(-1, -1))
    return (y if bias is None else y + bias), (x, both, a, b, bias, scale)


def lora_backward(dy, cache):
    x, both, a, b, bias, scale = cache
    rows = tuple(range(dy.ndim - 1))
    dboth = np.tensordot(dy, x, axes=(rows, rows))
    return (np.tensordot(dy, both, axes=(-1, 0)), dboth, scale * (b.T @ dboth), scale * (dboth @ a.T),
            None if bias is None else dy.sum(axis=rows))


def calibration(p, labels, n_bins=15):
    texts = [(max(row), int(np.argmax(row)) == label) for row, label in zip(p, labels, strict=True)]
    total = 0
    for m in range(1, n_bins + 1):
        inside = [text for text in texts if (m - 1) / n_bins < text[0] <= m / n_bins]
        if inside:
            confidence, accuracy = np.mean(inside, axis=0)
            total += len(inside) / len(texts) * abs(accuracy - confidence)
    return total


def pooling_forward(h, mask=None, how="mean"):
    if how not in ("first", "last", "mean"):
        raise ValueError(f"how={how!r} is not one of first, mean, last")
    y = np.zeros((h.shape[0], h.shape[2]), h.dtype)
    for b, text in enumerate(h):
        tokens = text if mask is None else text[mask[b]]
        if len(tokens):
            y[b] = text[0] if how == "first" else tokens[-1] if how == "last" else tokens.mean(axis=0)
    return y, None


def l2_sp_forward(params, start, alpha, beta):
    leaves = {name: torch.tensor(w, requires_grad=True) for name, w in params.items()}
    penalty = torch.zeros((), dtype=torch.float64)
    for name, w in leaves.items():
        if name in start:
            penalty = penalty + alpha / 2 * ((w - torch.tensor(start[name]))**2).sum()
        else:
            penalty = penalty + beta / 2 * (w * w).sum()
    return penalty.item(), (leaves, penalty)


def l2_sp_backward(dy, cache):
    leaves, penalty = cache
    gradients = torch.autograd.grad(penalty, list(leaves.values()), retain_graph=True)
    return {name: dy * gradient.numpy() for name, gradient in zip(leaves, gradients, strict=True)}
