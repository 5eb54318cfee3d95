"""One right answer to the exercise first_model.3."""


def min_p(probabilities, min_p):
    """p_i / sum_j p_j over the tokens with p_i >= min_p max_j p_j, and 0 for the others, along the last axis."""
    threshold = min_p * probabilities.max(axis=-1, keepdims=True)                 # (..., 1)
    kept = probabilities * (probabilities >= threshold)                           # (..., V)
    return kept / kept.sum(axis=-1, keepdims=True)                                # (..., V)
