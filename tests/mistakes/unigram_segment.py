"""Wrong answers to unigram_segment."""
import math

from solutions.unigram_segment import unigram_segment as right

from mistakes import mistake

NEVER = -math.inf


def last_first(word, log_p, score):
    """The pieces of the best cut; `score(best_s, log p of the last piece)` is what a cut up to t is worth."""
    best, start = [0.0] + [NEVER] * len(word), [0] * (len(word) + 1)
    for t in range(1, len(word) + 1):
        for s in range(t):
            if word[s:t] in log_p and best[s] > NEVER and score(best[s], log_p[word[s:t]]) > best[t]:
                best[t], start[t] = score(best[s], log_p[word[s:t]]), s
    if best[-1] == NEVER:
        raise ValueError(f"no pieces make up {word!r}")
    pieces, t = [], len(word)
    while t > 0:
        pieces.append(word[start[t]:t])
        t = start[t]
    return pieces[::-1]


def greedy(word, log_p, key):
    """Choose a first piece by key(piece), then go on behind it."""
    pieces = []
    while word:
        fits = [word[:n] for n in range(1, len(word) + 1) if word[:n] in log_p]
        if not fits:
            raise ValueError(f"no piece begins {word!r}")
        pieces.append(max(fits, key=key))
        word = word[len(pieces[-1]):]
    return pieces


@mistake("unigram_segment", "the longest piece that fits is taken, from left to right; compare the sums of whole cuts "
                            "(tokenizer, 7)")
def longest_first(word, log_p):
    return greedy(word, log_p, len)


@mistake("unigram_segment", "the most probable first piece is taken, and then the next; what follows it counts as well "
                            "(tokenizer, 7)")
def most_probable_first(word, log_p):
    return greedy(word, log_p, lambda piece: log_p[piece])


@mistake("unigram_segment", "the cut into the fewest pieces is taken; their probabilities decide (tokenizer, 6)")
def fewest_pieces(word, log_p):
    return last_first(word, log_p, lambda before, last: before - 1)


@mistake("unigram_segment", "only the last piece is scored: add best_s, the score of all before it (tokenizer, 7)")
def score_before_forgotten(word, log_p):
    return last_first(word, log_p, lambda before, last: last)


@mistake("unigram_segment", "the least probable cut is taken; log p is negative, and the largest sum is the best "
                            "(tokenizer, 6)")
def least_probable(word, log_p):
    right(word, log_p)
    return right(word, {piece: -value for piece, value in log_p.items()})


@mistake("unigram_segment", "probabilities are added; it is their logarithms that are (tokenizer, 6)")
def probabilities_added(word, log_p):
    return right(word, {piece: math.exp(value) for piece, value in log_p.items()})


@mistake("unigram_segment", "the pieces come from the end to the beginning: turn them around (tokenizer, 8)")
def not_turned_around(word, log_p):
    return right(word, log_p)[::-1]


@mistake("unigram_segment", "the piece at the beginning of the word is missing: go on until t is 0 (tokenizer, 8)")
def first_piece_missing(word, log_p):
    return right(word, log_p)[1:]


@mistake("unigram_segment", "a word that cannot be cut is returned all the same; raise ValueError")
def impossible_word_returned(word, log_p):
    try:
        return right(word, log_p)
    except ValueError:
        return [word]


@mistake("unigram_segment", "a beginning that no pieces make up counts as worth 0; it is worth -∞ (tokenizer, 7)")
def impossible_beginning_is_free(word, log_p):
    best, start = [0.0] * (len(word) + 1), [0] * (len(word) + 1)
    for t in range(1, len(word) + 1):
        cuts = [(best[s] + log_p[word[s:t]], s) for s in range(t) if word[s:t] in log_p]
        best[t], start[t] = max(cuts, default=(0.0, 0))
    if word and not cuts:
        raise ValueError(f"no pieces make up {word!r}")
    pieces, t = [], len(word)
    while t > 0:
        pieces.append(word[start[t]:t])
        t = start[t]
    return pieces[::-1]


@mistake("unigram_segment", "a word is refused as soon as one of its beginnings cannot be cut; a longer one may be "
                            "(tokenizer, 7)")
def impossible_beginning_refused(word, log_p):
    for t in range(len(word) + 1):
        right(word[:t], log_p)
    return right(word, log_p)


@mistake("unigram_segment", "every cut is tried, and each letter more doubles them: keep the best cut of each "
                            "beginning (tokenizer, 7)")
def every_cut_is_tried(word, log_p):
    def best(rest):
        if not rest:
            return 0.0, []
        tails = ((n, best(rest[n:])) for n in range(1, len(rest) + 1) if rest[:n] in log_p)
        scored = [(log_p[rest[:n]] + tail[0], [rest[:n], *tail[1]]) for n, tail in tails]
        return max(scored, key=lambda pair: pair[0], default=(NEVER, []))

    score, pieces = best(word)
    if score == NEVER:
        raise ValueError(f"no pieces make up {word!r}")
    return pieces
