"""One right answer to the exercise quantisation.4."""


def decode_bound(shapes, bits, group, per_group, bandwidth):
    """The bytes of codes, and of what each group of each row keeps, and (12)."""
    n_bytes = 0
    for O, I in shapes:
        groups = 1 if group is None else -(-I // group)           # of a row; the last may be shorter
        n_bytes += O * I * bits // 8 + O * groups * per_group * 2
    return {"bytes": n_bytes, "tokens per second": bandwidth / n_bytes}           # (12)
