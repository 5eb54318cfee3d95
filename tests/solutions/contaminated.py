"""One right answer to the exercise data.5."""


def contaminated(held_out, learned, n):
    """Whether a run of n words of a held-out text, or all of a shorter one, stands in a learned text."""
    seen = {}
    for m in {min(n, len(text)) for text in held_out if text}:
        seen[m] = {tuple(text[i:i + m]) for text in learned for i in range(len(text) - m + 1)}
    return [any(tuple(text[i:i + min(n, len(text))]) in seen[min(n, len(text))]
                for i in range(len(text) - min(n, len(text)) + 1) if text) for text in held_out]
