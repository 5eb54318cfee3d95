"""Cross-entropy: how surprised the model is by what really came next, in nats per token."""
import torch

from minigpt.swap import replaceable


@replaceable
def cross_entropy(logits, targets, ignore_index=-100):
    """Mean of -log p(target) over the counted targets, where p = softmax(logits).

        (1) m_n = max_v z_nv                      (subtracted first, so that exp cannot overflow)
        (2) -log p_n(v) = m_n + log sum_u exp(z_nu - m_n) - z_nv
        (3) loss = 1/N sum_n -log p_n(target_n)   (n runs over the N targets that are not ignore_index)

    logits: (..., V) scores z, of any size; targets: (...) integers from 0 to V - 1, or ignore_index.
    Returns loss: a number, nats per counted token, 0 if none counts.
    A uniform guess costs log V. Raises IndexError for any other target.
    Source: Goodfellow et al. 2016, section 6.2.2.3.
    """
    V = logits.shape[-1]
    z = logits.reshape(-1, V)                                 # (N, V)
    targets = targets.reshape(-1)                             # (N,)
    counted = targets != ignore_index                         # (N,)
    outside = targets[counted & ((targets < 0) | (targets >= V))]
    if outside.numel():
        raise IndexError(f"target {int(outside[0])} is not one of V={V} tokens (0 to {V - 1}), "
                         f"nor ignore_index={ignore_index}")
    m = z.detach().amax(dim=-1, keepdim=True)                 # (N, 1)  (1)
    e = torch.exp(z - m)                                      # (N, V)
    total = e.sum(dim=-1, keepdim=True)                       # (N, 1)
    index = torch.where(counted, targets, 0)[:, None]         # (N, 1)
    surprise = m + torch.log(total) - torch.take_along_dim(z, index, dim=1)       # (N, 1)  (2)
    loss = torch.where(counted, surprise[:, 0], 0).sum() / counted.sum().clamp(min=1)       # ()  (3)
    return loss
