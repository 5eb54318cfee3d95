"""Wrong answers to contaminated."""
from solutions.contaminated import contaminated as right

from mistakes import mistake


def runs(text, n):
    return [tuple(text[i:i + n]) for i in range(len(text) - n + 1)]


@mistake("contaminated", "a text shorter than n words has no run, so it is never found; all of it counts as one")
def short_never(held_out, learned, n):
    seen = {run for text in learned for run in runs(text, n)}
    return [any(run in seen for run in runs(text, n)) for text in held_out]


@mistake("contaminated", "a text shorter than n words must be a whole learned text; it may stand in a longer one")
def short_whole(held_out, learned, n):
    whole = {tuple(text) for text in learned}
    return [tuple(text) in whole if 0 < len(text) < n else right([text], learned, n)[0] for text in held_out]


@mistake("contaminated", "the learned texts are joined, so that runs reach from one into the next")
def joined(held_out, learned, n):
    return right(held_out, [[word for text in learned for word in text]], n)


@mistake("contaminated", "only the first run of a text is looked up")
def first_run(held_out, learned, n):
    return right([text[:n] for text in held_out], learned, n)


@mistake("contaminated", "the last run of a text is missing: there are N - n + 1")
def last_run_missing(held_out, learned, n):
    return [right([text[:-1] if len(text) > n else text], learned, n)[0] for text in held_out]


@mistake("contaminated", "the last run of the learned texts is missing: there are N - n + 1")
def last_learned_missing(held_out, learned, n):
    return right(held_out, [text[:-1] if len(text) > 1 else text for text in learned], n)


@mistake("contaminated", "the words of a run are compared without their order")
def without_order(held_out, learned, n):
    out = []
    for text in held_out:
        m = min(n, len(text))
        seen = {tuple(sorted(run)) for other in learned for run in runs(other, m)} if m else set()
        out.append(any(tuple(sorted(run)) in seen for run in runs(text, m)) if m else False)
    return out


@mistake("contaminated", "the words are glued together, so that other words with the same letters are the same")
def glued(held_out, learned, n):
    out = []
    for text in held_out:
        m = min(n, len(text))
        seen = {"".join(run) for other in learned for run in runs(other, m)} if m else set()
        out.append(any("".join(run) in seen for run in runs(text, m)) if m else False)
    return out


@mistake("contaminated", "all runs of a text must be learned; one is enough")
def all_runs(held_out, learned, n):
    out = []
    for text in held_out:
        m = min(n, len(text))
        seen = {run for other in learned for run in runs(other, m)} if m else set()
        out.append(bool(text) and all(run in seen for run in runs(text, m)))
    return out


@mistake("contaminated", "how many runs were found is returned, not whether one was")
def how_many(held_out, learned, n):
    out = []
    for text in held_out:
        m = min(n, len(text))
        seen = {run for other in learned for run in runs(other, m)} if m else set()
        out.append(sum(run in seen for run in runs(text, m)) if m else 0)
    return out


@mistake("contaminated", "one answer for all texts together; each has its own")
def one_for_all(held_out, learned, n):
    return any(right(held_out, learned, n))


@mistake("contaminated", "a text without words counts as found: no word of it is missing")
def empty_counts(held_out, learned, n):
    return [answer or not text for answer, text in zip(right(held_out, learned, n), held_out, strict=True)]


@mistake("contaminated", "whole texts are compared; a run of n words is enough")
def whole_texts(held_out, learned, n):
    return [bool(text) and text in learned for text in held_out]
