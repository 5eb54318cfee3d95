"""Linear and cross-entropy: what a language model's last layer costs, from its hidden states, in nats per token."""
from minigpt.cross_entropy import cross_entropy
from minigpt.linear import linear
from minigpt.swap import replaceable


@replaceable
def linear_cross_entropy(x, weight, targets, ignore_index=-100):
    """Mean of -log p(target) over the counted targets, where p = softmax(x W^T).

        (1) z_nv = sum_c x_nc W_vc                (in one line: z = x W^T)
        (2) loss = 1/N sum_n (log sum_u exp(z_nu) - z_n,target_n)             (over the N counted targets)

    x: (..., C) hidden states; weight: (V, C), one row a token; targets: (...) integers from 0 to V - 1, or
    ignore_index. Returns loss: a number, nats per counted token, 0 if none counts.
    Raises IndexError for any other target.
    Source: Goodfellow et al. 2016, chapter 6 (linear) and section 6.2.2.3 (the loss).
    """
    logits = linear(x, weight)                                # (..., V)  (1)
    loss = cross_entropy(logits, targets, ignore_index)       # ()  (2)
    return loss
