"""Linear and cross-entropy: what a language model's last layer costs, from its hidden states, in nats per token."""
from collections import namedtuple

from minigpt.reference.cross_entropy import cross_entropy_backward, cross_entropy_forward
from minigpt.reference.linear import linear_backward, linear_forward

LinearCrossEntropyCache = namedtuple("LinearCrossEntropyCache", "linear cross_entropy")


def linear_cross_entropy_forward(x, weight, targets, ignore_index=-100):
    """Mean of -log p(target) over the counted targets, where p = softmax(x W^T).

        (1) z_nv = sum_c x_nc W_vc                (in one line: z = x W^T)
        (2) loss = 1/N sum_n (log sum_u exp(z_nu) - z_n,target_n)             (over the N counted targets)

    x: (..., C) hidden states; weight: (V, C), one row a token; targets: (...) integers from 0 to V - 1, or
    ignore_index. Returns loss: a number, nats per counted token, 0 if none counts; and the cache for
    linear_cross_entropy_backward. Raises IndexError for any other target.
    Source: Goodfellow et al. 2016, chapter 6 (linear) and section 6.2.2.3 (the loss).
    """
    logits, linear_cache = linear_forward(x, weight)          # (..., V)  (1)
    loss, cross_entropy_cache = cross_entropy_forward(logits, targets, ignore_index)      # ()  (2)
    return loss, LinearCrossEntropyCache(linear_cache, cross_entropy_cache)


def linear_cross_entropy_backward(dy, cache):
    """Gradients of the loss with respect to x and weight.

        (3) dz_nv = dy / N (p_n(v) - 1[v = target_n])         (0 where the target is not counted)
        (4) ∂z_nv / ∂x_nc = W_vc          so      dx_nc = sum_v dz_nv W_vc          dx = dz W
        (5) ∂z_nv / ∂W_vc = x_nc          so      dW_vc = sum_n dz_nv x_nc          dW = dz^T x

    Every row's dx and every row's part of dW need that row of dz alone: no two rows of logits must be there at once.
    dy: a number. Returns dx: (..., C) and dweight: (V, C).
    """
    dlogits = cross_entropy_backward(dy, cache.cross_entropy)             # (..., V)  (3)
    dx, dweight, _ = linear_backward(dlogits, cache.linear)   # (..., C), (V, C)  (4) (5)
    return dx, dweight
