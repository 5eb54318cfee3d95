"""Muon: a matrix moves by an update that is as long in every direction."""
import math

import torch

from minigpt.swap import replaceable

# a, b, c of each step; the last are those of all further steps
JORDAN = ((3.4445, -4.7750, 2.0315),)
POLAR_EXPRESS = ((8.2872, -23.5959, 17.3004), (4.1071, -2.9478, 0.5448), (3.9487, -2.9089, 0.5518))


@replaceable
def orthogonalise(g, steps=5, polynomials=JORDAN):
    """Bring the singular values of each matrix near 1, and keep its directions: U S V^T is to be U V^T.

        (1) X = g / |g|                                       (|g|^2: the sum of its squares)
        (2) A = X X^T
        (3) X = a X + (b A + c A A) X                         (a, b, c = 3.4445, -4.7750, 2.0315: JORDAN)

    With X = U S V^T, (3) is U (a S + b S^3 + c S^5) V^T: each singular value goes its own way, by a
    polynomial steep at 0 and later around 1. Five steps of (2) and (3) bring every singular value that is at
    least 0.0016 |g| between 0.68 and 1.21; a smaller one is multiplied by a^5 at most. With POLAR_EXPRESS each
    step has a polynomial of its own, the best for where the one before has left the singular values: three of them
    bring all from 0.001 |g| on between 0.13 and 1.87.
    g: (..., rows, columns), each matrix by itself. steps: of (2) and (3). polynomials: (a, b, c) of each step; the
    last are those of all further steps.
    Returns X, of the shape of g; a matrix of zeros stays 0.
    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (a blog post);
    POLAR_EXPRESS, Amsel et al. 2025, arXiv:2505.16932, rounded.
    """
    is_tall = g.shape[-2] > g.shape[-1]
    X = g.transpose(-1, -2) if is_tall else g                 # its transpose gives the same with a smaller A
    norm = torch.sqrt((X**2).sum(dim=(-1, -2), keepdim=True))           # (..., 1, 1)
    X = X / torch.clamp(norm, min=1e-7)                       # (..., rows, columns)  (1)
    for step in range(steps):
        a, b, c = polynomials[min(step, len(polynomials) - 1)]
        A = X @ X.transpose(-1, -2)                           # (..., rows, rows)  (2)
        X = a * X + (b * A + c * (A @ A)) @ X                 # (..., rows, columns)  (3)
    return X.transpose(-1, -2) if is_tall else X


@replaceable
def muon(params, gradients, ms, *, lr, momentum=0.95, weight_decay=0.0, **iteration):
    """One step of Muon: each matrix moves by about lr along every direction of its gradient's running mean.

        (4) m = momentum m + (1 - momentum) g                 (running mean of the gradient)
        (5) u = momentum m + (1 - momentum) g                 (Nesterov: one step ahead, as if g came again)
        (6) o = orthogonalise(u)                              (matrices of one shape in one batch)
        (7) o = sqrt(max(1, rows/columns)) o                  (a tall matrix moves further)
        (8) p = p - lr (o + weight_decay p)

    params, gradients, ms: lists of matrices, alike in shape; ms are 0 before the first step.
    lr: learning rate. weight_decay: of all that is given here; 0 for none. iteration: steps and polynomials of
    orthogonalise.
    Returns the new params and ms, as lists.
    Source: Jordan et al. 2024 (a blog post); the decay, Liu et al. 2025, arXiv:2502.16982.
    """
    new_ms = [momentum * m + (1 - momentum) * g for m, g in zip(ms, gradients, strict=True)]        # (4)
    ahead = [momentum * m + (1 - momentum) * g for m, g in zip(new_ms, gradients, strict=True)]     # (5)
    updates = list(ahead)
    for places in of_one_shape(ahead):
        os = orthogonalise(torch.stack([ahead[i] for i in places]), **iteration)     # (N, rows, columns)  (6)
        scale = math.sqrt(max(1, os.shape[-2] / os.shape[-1]))
        for i, o in zip(places, os, strict=True):
            updates[i] = scale * o                            # (rows, columns)  (7)
    new_params = [p - lr * (o + weight_decay * p) for p, o in zip(params, updates, strict=True)]    # (8)
    return new_params, new_ms


class Muon(torch.optim.Optimizer):
    """`muon` over matrices of a model: keeps their running means, and writes the new parameters back.

    params: matrices, or groups of them with their own options; vectors, embeddings and the output layer are
    for AdamW. iteration: steps and polynomials of orthogonalise.
    Raises ValueError for a parameter that is no matrix.
    """

    def __init__(self, params, *, lr, momentum=0.95, weight_decay=0.0, **iteration):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.iteration = iteration
        shapes = [tuple(p.shape) for group in self.param_groups for p in group["params"] if p.ndim != 2]
        if shapes:
            raise ValueError(f"Muon is for matrices, not for shape {shapes[0]}; give that parameter to AdamW")

    @torch.no_grad()
    def step(self):
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            options = {name: group[name] for name in ("lr", "momentum", "weight_decay")}
            params = [p for p in group["params"] if p.grad is not None]
            ms = [self.state[p].get("momentum_buffer", torch.zeros_like(p)) for p in params]
            news, ms = muon(params, [p.grad for p in params], ms, **options, **self.iteration)
            for p, new, m in zip(params, news, ms, strict=True):
                if new is not p:                              # a fused muon has written into p already
                    p.copy_(new)
                self.state[p]["momentum_buffer"] = m


def of_one_shape(matrices):
    """The places of the matrices, a list for each shape."""
    places = {}
    for i, matrix in enumerate(matrices):
        places.setdefault(matrix.shape, []).append(i)
    return places.values()
