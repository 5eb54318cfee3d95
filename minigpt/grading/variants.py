"""Tasks of a student's own: each a known function with twists, which an ID chooses together with their numbers.

What is right is computed by PyTorch, whose gradient is derived by itself: the backward that a student writes stands
nowhere, and this file is in no release.
"""
import hashlib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Variant:
    """One task. function: right in PyTorch, of the inputs. problem: (rng, size) -> inputs. text: of the lesson."""
    lesson: str
    concept: str
    function: object
    numbers: dict
    problem: object
    title: str
    text: str
    stub: str

    def answer(self, inputs, dy=None):
        """y, and the gradient of each floating-point input, in float64."""
        given = [torch.tensor(x, dtype=torch.float64 if x.dtype.kind == "f" else None) for x in inputs]
        leaves = [x.requires_grad_() for x in given if x.is_floating_point()]
        y = self.function(*given, **self.numbers)
        gradients = torch.autograd.grad(y, leaves, torch.tensor(dy, dtype=torch.float64).reshape(y.shape))
        return y.detach().numpy(), tuple(g.numpy() for g in gradients)


class Draw:
    """Choices that a text makes: the same for the same text, on every machine."""

    def __init__(self, text):
        self.text, self.n = text, 0

    def __call__(self, *choices):
        return choices[self.number() % len(choices)]

    def number(self):
        """A whole number below 2^64."""
        self.n += 1
        return int.from_bytes(hashlib.sha256(f"{self.n}\0{self.text}".encode()).digest()[:8], "big")


def variants(id, lessons):
    """The tasks of an ID for some lessons: one for each kind that fits, in the first lesson that it fits."""
    found = {}
    for lesson in lessons:
        if lesson in FITS and FITS[lesson] not in found:
            found[FITS[lesson]] = FITS[lesson](lesson, Draw(f"{FITS[lesson].__name__}\0{id}"))
    return list(found.values())


def attention(q, k, v, *, cap, ratio, left, right, every, first, capped_first, power):
    T, D = q.shape[-2:]
    t, s = torch.arange(T)[:, None], torch.arange(T)[None, :]
    slope = ratio ** torch.arange(1, q.shape[1] + 1, dtype=q.dtype)[:, None, None]
    scores, bias = q @ k.mT / D**power, -slope * (t - s).abs()
    scores = cap * torch.tanh(scores / cap) + bias if capped_first else cap * torch.tanh((scores + bias) / cap)
    seen = ((s >= t - left) & (s <= t + right)) | (s % every == first)
    return torch.softmax(scores.masked_fill(~seen, -torch.inf), dim=-1) @ v


def own_attention(lesson, draw):
    """Attention with a soft cap, slopes that make far keys count less, and a crooked window with posts."""
    every = draw(3, 4, 5)
    n = {"cap": draw(1.5, 2.0, 2.5, 3.0, 3.5), "ratio": draw(0.4, 0.5, 0.6, 0.7, 0.8), "left": draw(1, 2, 3, 4),
         "right": draw(0, 1, 2), "every": every, "first": draw(*range(every)), "capped_first": draw(True, False),
         "power": draw(0.5, 1, 0.25)}
    divisor = {0.5: "√D", 1: "D", 0.25: "the fourth root of D"}[n["power"]]
    ahead = f"t + {n['right']}" if n["right"] else "t"
    cap = f"score = {n['cap']:g} · tanh(score / {n['cap']:g})"
    bias = f"score = score − m<sub>h</sub> |t − s|, where m<sub>h</sub> = {n['ratio']:g}<sup>h+1</sup> for the heads " \
           "h = 0, 1, ...: far keys count less"
    second, third = (cap, bias) if n["capped_first"] else (bias, cap)
    text = f"""\
Attention, with four changes. The order of (2) and (3) matters.

- (1) score<sub>ts</sub> = Σ<sub>d</sub> q<sub>td</sub> k<sub>sd</sub> / {divisor}
- (2) {second}
- (3) {third}
- (4) score<sub>ts</sub> = −∞ unless t − {n['left']} ≤ s ≤ {ahead}, or s mod {n['every']} = {n['first']}
- (5) p<sub>ts</sub> = exp(score<sub>ts</sub>) / Σ<sub>j</sub> exp(score<sub>tj</sub>)
- (6) y<sub>t</sub> = Σ<sub>s</sub> p<sub>ts</sub> v<sub>s</sub>

There are as many keys as queries, and as many key heads as query heads. Positions count from 0."""
    stub = '''\
def own_attention_forward(q, k, v):
    """(1) to (6). q, k, v: (B,H,T,D). Returns y: (B,H,T,D), and a cache for your backward."""
    ...


def own_attention_backward(dy, cache):
    """dy: (B,H,T,D). Returns dq, dk, dv: (B,H,T,D) each."""
    ...
'''
    return Variant(lesson, "own_attention", attention, n, _qkv, "attention with four changes", text, stub)


def _qkv(rng, size):
    B, H, T, D = [(1, 1, 3, 2), (2, 3, 7, 4), (1, 2, 12, 3), (2, 1, 1, 5), (1, 4, 9, 1)][size]
    return [rng.normal(size=(B, H, T, D)) for _ in range(3)]


def norm(x, weight, *, p, share, eps, inside, one):
    left = x - share * x.mean(dim=-1, keepdim=True)
    size = left.abs().pow(p).mean(dim=-1, keepdim=True)
    size = (size + eps) ** (1 / p) if inside else size ** (1 / p) + eps
    return left / size * (weight + one)


def own_norm(lesson, draw):
    """A norm with another power, a part of the mean, eps at another place, and a weight that may begin at 0."""
    n = {"p": draw(3, 4, 5, 6), "share": draw(0.25, 0.5, 0.75, 1.25), "eps": draw(0.01, 0.02, 0.05, 0.1),
         "inside": draw(True, False), "one": draw(0, 1)}
    p, eps = n["p"], n["eps"]
    size = f"(a + {eps:g})<sup>1/{p}</sup>" if n["inside"] else f"a<sup>1/{p}</sup> + {eps:g}"
    weight = "(1 + w<sub>c</sub>)" if n["one"] else "w<sub>c</sub>"
    text = f"""\
A norm of the last axis, with changes: a part of the mean, another power than the square, and eps at a place of its own.

- (1) u<sub>c</sub> = x<sub>c</sub> − {n['share']:g} · 1/C Σ<sub>i</sub> x<sub>i</sub>
- (2) a = 1/C Σ<sub>c</sub> |u<sub>c</sub>|<sup>{p}</sup>
- (3) r = {size}
- (4) y<sub>c</sub> = u<sub>c</sub> / r · {weight}"""
    stub = '''\
def own_norm_forward(x, weight):
    """(1) to (4). x: (..., C). weight: (C,). Returns y: (..., C), and a cache for your backward."""
    ...


def own_norm_backward(dy, cache):
    """dy: (..., C). Returns dx: (..., C), dweight: (C,)."""
    ...
'''
    return Variant(lesson, "own_norm", norm, n, _rows, "a norm with another power", text, stub)


def _rows(rng, size):
    shape = [(1, 3), (2, 3, 8), (5, 4), (3, 2), (2, 2, 2, 6)][size]
    return [rng.normal(size=shape) + 0.5, rng.normal(size=shape[-1])]


def cross_entropy(logits, targets, *, smooth, others, z, temperature):
    scaled, counted = logits / temperature, targets != -100
    total = torch.logsumexp(scaled, dim=-1)
    log_p = scaled - total[..., None]
    hit = log_p.gather(-1, torch.where(counted, targets, 0)[..., None])[..., 0]
    rest = (log_p.sum(-1) - hit) / (logits.shape[-1] - 1) if others else log_p.mean(-1)
    loss = -(1 - smooth) * hit - smooth * rest + z * total**2
    return torch.where(counted, loss, 0).sum() / counted.sum().clamp(min=1)


def own_cross_entropy(lesson, draw):
    """Cross-entropy with a temperature, label smoothing of one kind or the other, and a z-loss."""
    n = {"smooth": draw(0.05, 0.1, 0.15, 0.2, 0.3), "others": draw(True, False), "z": draw(0.001, 0.01, 0.02, 0.05),
         "temperature": draw(0.5, 0.8, 1.25, 1.5, 2.0)}
    who = "the V − 1 tokens that are not the target" if n["others"] else "all V tokens, the target included"
    text = f"""\
Cross-entropy with three changes: a temperature, smoothed labels, and a price on large sums. For each row of logits:

- (1) x<sub>j</sub> = logit<sub>j</sub> / {n['temperature']:g}
- (2) z = log Σ<sub>j</sub> exp(x<sub>j</sub>)
- (3) loss of the row = −{1 - n['smooth']:g} · (x<sub>target</sub> − z) − {n['smooth']:g} · (the mean of
  x<sub>j</sub> − z over {who}) + {n['z']:g} · z²
- (4) loss = the mean over the rows whose target is not −100; 0 if there is none"""
    stub = '''\
def own_cross_entropy_forward(logits, targets):
    """(1) to (4). logits: (..., V). targets: (...) ids, -100 counts not. Returns the loss, and a cache."""
    ...


def own_cross_entropy_backward(dy, cache):
    """dy: a number. Returns dlogits: (..., V)."""
    ...
'''
    return Variant(lesson, "own_cross_entropy", cross_entropy, n, _scores, "cross-entropy with three changes", text,
                   stub)


def _scores(rng, size):
    *rows, V = [(2, 3), (2, 4, 7), (9, 5), (1, 2), (3, 11)][size]
    targets = rng.integers(0, V, rows)
    targets.reshape(-1)[1:][rng.random(targets.size - 1) < 0.3] = -100
    return [2 * rng.normal(size=(*rows, V)), targets]


FITS = {"backprop": own_cross_entropy, "attention": own_attention, "attention_kernel": own_attention,
        "attention_backward": own_attention, "transformer": own_norm, "modern_block": own_norm}
