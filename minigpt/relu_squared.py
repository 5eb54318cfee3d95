"""ReLU squared: what is below 0 is stopped, what is above is squared."""
import torch

from minigpt.swap import replaceable


@replaceable
def relu_squared(x):
    """Square what is above 0, and let nothing else pass.

        (1) r = max(x, 0)
        (2) y = r^2

    x: any shape. Returns y of that shape.
    Source: So et al. 2021 (Primer), arXiv:2109.08668.
    """
    r = torch.relu(x)                                         # (...)  (1)
    y = r**2                                                  # (...)  (2)
    return y
