"""One right answer to the exercise transformer.5."""


def gpt_parameters(V, T, C, F, L, tied):
    """(8) a linear layer from I to O numbers: O I weights and O biases; (9) a norm: C weights and C biases."""
    square, up, down = C * C + C, C * F + F, F * C + C            # (8)
    return {"embeddings": V * C + T * C, "attention": L * 4 * square, "feed-forward": L * (up + down),
            "norms": (2 * L + 1) * 2 * C,                         # (9)
            "output": 0 if tied else V * C}
