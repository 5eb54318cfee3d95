"""Other right answers to the exercises of tokenizer: numbers in the place of bytes, and the cut from the end."""
from minigpt.reference.tokenizer import split_words, vocabulary


def pair_counts(words):
    counts = {}
    for word, times in words.items():
        for i in range(len(word) - 1):
            pair = word[i], word[i + 1]
            counts[pair] = counts.get(pair, 0) + times
    return counts


def merge_pair(word, pair, new):
    rest, merged = list(reversed(word)), []
    while rest:
        merged.append(rest.pop())
        if rest and (merged[-1], rest[-1]) == tuple(pair):
            rest.pop()
            merged[-1] = new
    return tuple(merged)


def train_bpe(texts, vocab_size, special_tokens=()):
    tokens = vocabulary([], special_tokens)
    if len(tokens) > vocab_size:
        raise ValueError(f"vocab_size={vocab_size} is too small")
    number = {token: i for i, token in enumerate(tokens) if i >= len(special_tokens)}
    words = [[number[bytes([b])] for b in word.encode()] for text in texts for word in split_words(text)]
    merges = []
    while len(tokens) < vocab_size:
        counts = {}
        for word in words:
            for i in range(1, len(word)):
                counts[word[i - 1], word[i]] = counts.get((word[i - 1], word[i]), 0) + 1
        if not counts:
            break
        a, b = sorted(counts, key=lambda pair: (-counts[pair], *pair))[0]
        words = [list(merge_pair(word, (a, b), len(tokens))) for word in words]
        merges.append((tokens[a], tokens[b]))
        tokens.append(tokens[a] + tokens[b])
    return merges


def bpe_encode(text, merges, special_tokens=()):
    n = len(special_tokens)
    number = {token: n + i for i, token in enumerate(vocabulary(merges))}
    ids = []
    for word in split_words(text):
        pieces = [bytes([b]) for b in word.encode()]
        for a, b in merges:
            pieces = merge_pair(pieces, (a, b), a + b)
        ids += [number[piece] for piece in pieces]
    return ids


def bpe_decode(ids, merges, special_tokens=()):
    data, tokens = bytearray(), vocabulary(merges, special_tokens)
    for i in ids:
        data.extend(tokens[i])
    return str(data, "utf-8", "replace")


def unigram_segment(word, log_p):
    best = {len(word): (0.0, [])}                      # place -> (score, pieces) of the best cut of what follows it
    for start in reversed(range(len(word))):
        cuts = [(log_p[word[start:end]] + best[end][0], [word[start:end], *best[end][1]])
                for end in range(start + 1, len(word) + 1) if end in best and word[start:end] in log_p]
        if cuts:
            best[start] = max(cuts, key=lambda cut: cut[0])
    if 0 not in best:
        raise ValueError(f"no pieces make up {word!r}")
    return best[0][1]
