"""RoPE, rotary positions: pairs of features are turned by an angle that grows with the position."""
import torch

from minigpt.swap import replaceable


@replaceable
def rope(x, positions, theta=10000.0):
    """Turn each pair of features (i, i + D/2) by its position times its frequency.

        (1) f_i = theta^(-2 i/D)                              (radians per position, i < D/2: fast to slow)
        (2) a_ti = position_t f_i
        (3) y_ti = x_ti cos(a_ti) - x_{t,i+D/2} sin(a_ti)
        (4) y_{t,i+D/2} = x_{t,i+D/2} cos(a_ti) + x_ti sin(a_ti)

    Turned like this, the product of a query and a key depends on the distance of their positions alone.
    x: (B,H,T,D) queries or keys; positions: (T,) integers, counted from 0, or (B,T) if each row has its own; theta
    sets the slowest frequency.
    The angles are float64 whatever x is: the rounding of a float32 angle grows with the position.
    Returns y: (B,H,T,D).
    Raises ValueError if D is odd, or if there is not one position for each t.
    Source: Su et al. 2021, arXiv:2104.09864, section 3.2.2. There neighbours (2i, 2i + 1) are the pairs,
    which differs by the order of the features only. Most published weights expect the pairs (i, i + D/2).
    """
    T, D = x.shape[-2:]
    if D % 2 or positions.shape not in ((T,), (len(x), T)):
        raise ValueError(f"rope needs an even D and a position for each t: D={D}, T={T}, and "
                         f"positions of shape {tuple(positions.shape)}")
    twice_i = torch.arange(0, D, 2, dtype=torch.float64, device=x.device)
    frequency = theta ** (-twice_i / D)                       # (D/2,)  (1)
    angle = positions[..., None] * frequency                  # (T,D/2)  (2)
    if positions.ndim == 2:
        angle = angle[:, None]                                # (B,1,T,D/2)  all heads alike
    cos = torch.cos(angle).to(x.dtype)                        # (T,D/2)
    sin = torch.sin(angle).to(x.dtype)                        # (T,D/2)
    first, second = x.chunk(2, dim=-1)                        # (B,H,T,D/2)
    turned_first = first * cos - second * sin                 # (B,H,T,D/2)  (3)
    turned_second = second * cos + first * sin                # (B,H,T,D/2)  (4)
    y = torch.cat([turned_first, turned_second], dim=-1)      # (B,H,T,D)
    return y
