"""Other right answers to the exercises of training: one backward for all, PyTorch, half the angle, comparisons."""
import math

import torch


def training_step(model, optimiser, pieces, max_norm):
    model.train()
    optimiser.zero_grad()
    loss = 0
    for ids in pieces:
        log_p = torch.log_softmax(model(ids[:, :-1]), dim=-1)
        loss = loss - log_p.gather(-1, ids[:, 1:, None]).mean() / len(pieces)
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    length = math.sqrt(sum(float((g.double()**2).sum()) for g in gradients))
    for g in gradients:
        g *= max_norm / max(length, max_norm)
    optimiser.step()
    return loss.item()


def adamw(params, gradients, ms, vs, step, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    if step < 1:
        raise ValueError(f"step={step}, but steps count from 1")
    new = []
    for p, g, m, v in zip(params, gradients, ms, vs, strict=True):
        p, g, m, v = (torch.tensor(x) for x in (p, g, m, v))
        m, v = torch.lerp(g, m, beta1), torch.lerp(g * g, v, beta2)
        m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
        p = p * (1 - lr * weight_decay) - lr * m_hat / (v_hat.sqrt() + eps)
        new.append((p.numpy(), m.numpy(), v.numpy()))
    return [[each[i] for each in new] for i in range(3)]


def warmup_cosine(step, *, steps, warmup, lr, min_lr):
    if step < warmup:
        return (step + 1) * lr / (warmup + 1)
    if step >= steps:
        return min_lr
    half_angle = math.pi / 2 * (step - warmup) / (steps - warmup)
    return min_lr + (lr - min_lr) * math.cos(half_angle)**2


def lion(params, gradients, ms, *, lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
    new_params, new_ms = [], []
    for p, g, m in zip(params, gradients, ms, strict=True):
        u = beta1 * m + (1 - beta1) * g
        up, down = (u > 0).astype(p.dtype), (u < 0).astype(p.dtype)
        new_params.append(p - lr * up + lr * down - lr * weight_decay * p)
        new_ms.append(beta2 * m + (1 - beta2) * g)
    return new_params, new_ms


diagnosis = {"A": 7, "B": 1, "C": 5, "D": 8, "E": 4, "F": 3, "G": 6, "H": 2}
