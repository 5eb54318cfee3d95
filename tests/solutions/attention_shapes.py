"""One right answer to the exercise attention.4."""


def attention_shapes(B, H, G, T, S, D):
    """An axis for each index that is not summed over: (1) and (4) have t and s, (6) has t and d."""
    one_head = T * S * D + T * S * D                              # (1), then (6)
    return {"scores": (B, H, T, S), "sums": (B, H, T), "y": (B, H, T, D), "k and v": 2 * B * G * S * D,
            "multiplications": B * H * one_head}
