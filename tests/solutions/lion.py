"""One right answer to the exercise training.4."""
import numpy as np


def lion(params, gradients, ms, *, lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
    """u = sign(beta1 m + (1 - beta1) g);  p = p - lr (u + weight_decay p);  m = beta2 m + (1 - beta2) g"""
    us = [np.sign(beta1 * m + (1 - beta1) * g) for m, g in zip(ms, gradients, strict=True)]
    new_params = [p - lr * (u + weight_decay * p) for p, u in zip(params, us, strict=True)]
    new_ms = [beta2 * m + (1 - beta2) * g for m, g in zip(ms, gradients, strict=True)]
    return new_params, new_ms
