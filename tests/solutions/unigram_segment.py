"""One right answer to the exercise tokenizer.5."""


def unigram_segment(word, log_p):
    """best_t = max over s < t of best_s + log p(word[s:t]); the cut is read from the end of the word."""
    best, start = [0.0] + [-float("inf")] * len(word), [0] * (len(word) + 1)
    for t in range(1, len(word) + 1):
        for s in range(t):
            score = best[s] + log_p.get(word[s:t], -float("inf"))
            if score > best[t]:
                best[t], start[t] = score, s
    if best[-1] == -float("inf"):
        raise ValueError(f"no pieces make up {word!r}")
    pieces, t = [], len(word)
    while t > 0:
        pieces.append(word[start[t]:t])
        t = start[t]
    return pieces[::-1]
