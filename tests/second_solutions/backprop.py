"""Other right answers to backprop: einsum, PyTorch, one row at a time, PyTorch's own gradient, a 1 for each sign."""
import numpy as np
import torch
from torch.nn.functional import cross_entropy


def linear_forward(x, weight, bias=None):
    y = np.einsum("...i,oi->...o", x, weight)
    return (y if bias is None else y + bias), {"x": x, "weight": weight, "bias": bias}


def linear_backward(dy, cache):
    x, weight = cache["x"], cache["weight"]
    dweight = np.einsum("no,ni->oi", dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1]))
    dbias = None if cache["bias"] is None else np.einsum("no->o", dy.reshape(-1, dy.shape[-1]))
    return np.einsum("...o,oi->...i", dy, weight), dweight, dbias


def cross_entropy_backward(dy, cache):
    p, targets, ignore_index = cache
    p, targets = torch.tensor(p), torch.tensor(targets)
    counted = targets != ignore_index
    dlogits = torch.zeros_like(p)
    right = torch.nn.functional.one_hot(targets[counted], p.shape[-1])
    dlogits[counted] = float(dy) / max(int(counted.sum()), 1) * (p[counted] - right)
    return dlogits.numpy()


def finite_differences(f, x, h):
    nudges = h * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + nudge) - f(x - nudge) for nudge in nudges]).reshape(x.shape) / (2 * h)


def label_smoothing_forward(logits, targets, smoothing):
    leaf = torch.tensor(logits, requires_grad=True)
    loss = cross_entropy(leaf, torch.tensor(targets), label_smoothing=smoothing)
    return loss.item(), (loss, leaf)


def label_smoothing_backward(dy, cache):
    loss, leaf = cache
    gradient, = torch.autograd.grad(loss, leaf, retain_graph=True)
    return gradient.numpy() * dy


def tied_embedding_backward(dy, cache):
    before, targets, E, W, e, h, p = cache
    looked_up = np.eye(len(E))[before]                 # (N, V): each row has a 1 at its sign
    dz = dy * (p - np.eye(len(E))[targets]) / len(before)
    da = np.einsum("nv,vc->nc", dz, E) * (1 - h**2)
    dW = np.einsum("nf,nc->fc", da, e)
    return np.einsum("nv,nc->vc", dz, h) + looked_up.T @ da @ W, dW, np.einsum("nf->f", da)
