"""Wrong answers to the exercises of the lesson language_model."""
import numpy as np
from solutions.ngram import bigram, text_bits, witten_bell

from mistakes import mistake


def steps(ids, first, table):
    return np.append(first[ids[0]], table[ids[:-1], ids[1:]])


def pairs(ids, V):
    counts = np.zeros((V, V))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    return counts


def sums(counts):
    return counts.sum(axis=-1, keepdims=True), (counts > 0).sum(axis=-1, keepdims=True)


@mistake("text_bits", "these are nats; bits need the logarithm with base 2 (equation 3)")
def nats(ids, first, table):
    return -np.log(steps(ids, first, table)).sum()


@mistake("text_bits", "the sign is the other way round: a surprise is -log2 p, never negative (equation 3)")
def sign_turned_around(ids, first, table):
    return np.log2(steps(ids, first, table)).sum()


@mistake("text_bits", "the probabilities are multiplied first; of a long text the product is rounded to 0. "
                      "Add the logarithms (equation 3)")
def logarithm_of_the_product(ids, first, table):
    return -np.log2(np.prod(steps(ids, first, table)))


@mistake("text_bits", "the first character is free here; it costs -log2 first[x_1] (equation 3)")
def first_is_free(ids, first, table):
    return -np.log2(table[ids[:-1], ids[1:]]).sum()


@mistake("text_bits", "rows and columns are exchanged: the row is the character before (equation 2)")
def rows_and_columns_exchanged(ids, first, table):
    return text_bits(ids, first, table.T)


@mistake("text_bits", "this is the mean of the bits; the text costs their sum (equation 3)")
def mean(ids, first, table):
    return text_bits(ids, first, table) / len(ids)


@mistake("text_bits", "each logarithm is weighted with its probability, which gives an expected value; "
                      "this text has happened, and each of its characters counts fully (equation 3)")
def expected_value(ids, first, table):
    p = steps(ids, first, table)
    return -(p * np.log2(p)).sum()


@mistake("text_bits", "a small number is added to each probability, which hides that a step is impossible; "
                      "the logarithm of 0 is -inf, and that is right here")
def zero_is_hidden(ids, first, table):
    return -np.log2(steps(ids, first, table) + 1e-12).sum()


@mistake("bigram", "counts[before, after] += 1 with arrays counts a repeated pair only once; use np.add.at")
def repeated_pairs_once(ids, V):
    counts = np.zeros((V, V))
    counts[ids[:-1], ids[1:]] += 1
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)


@mistake("bigram", "it is divided by how often a occurs, and the last character of the text is among these, though "
                   "nothing follows it; divide by the sum of the row (equation 5)")
def last_character_counted(ids, V):
    return pairs(ids, V) / np.maximum(np.bincount(ids, minlength=V), 1)[:, None]


@mistake("bigram", "rows and columns are exchanged: the row is the character before (equation 5)")
def rows_are_what_follows(ids, V):
    return bigram(ids[::-1], V)


@mistake("bigram", "the columns sum to 1; it is the rows that are to (equation 5)")
def columns_sum_to_one(ids, V):
    counts = pairs(ids, V)
    return counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)


@mistake("bigram", "column b is divided by the sum of row b; keepdims=True makes each sum divide its row (equation 5)")
def sums_without_their_axis(ids, V):
    counts = pairs(ids, V)
    return counts / np.maximum(counts.sum(axis=-1), 1)


@mistake("bigram", "the whole table sums to 1: the probability of a pair, not of b after a (equation 5)")
def joint(ids, V):
    counts = pairs(ids, V)
    return counts / max(counts.sum(), 1)


@mistake("bigram", "a row in which nothing was counted is 0 / 0, which is nan; it is to be 0")
def nan_rows(ids, V):
    counts = pairs(ids, V)
    return counts / counts.sum(axis=-1, keepdims=True)


@mistake("bigram", "1 was added to every count; here the counts alone are asked for (equation 5)")
def add_one(ids, V):
    counts = pairs(ids, V) + 1
    return counts / counts.sum(axis=-1, keepdims=True)


@mistake("witten_bell", "u is the number of different characters that followed, not of all V (equation 7)")
def u_is_V(counts, lower):
    n, _ = sums(counts)
    return np.where(n > 0, (counts + counts.shape[-1] * lower) / (n + counts.shape[-1]), lower)


@mistake("witten_bell", "u is how many different characters followed; the sum of the counts is n (equation 7)")
def u_is_n(counts, lower):
    n, _ = sums(counts)
    return np.where(n > 0, (counts + n * lower) / np.maximum(2 * n, 1), lower)


@mistake("witten_bell", "u is missing below the line: divide by n + u, or the row exceeds 1 (equation 7)")
def divided_by_n(counts, lower):
    n, u = sums(counts)
    return np.where(n > 0, (counts + u * lower) / np.maximum(n, 1), lower)


@mistake("witten_bell", "a context that was never seen gives 0 / 0; it must leave `lower` as it is")
def never_seen_is_nan(counts, lower):
    n, u = sums(counts)
    return (counts + u * lower) / (n + u)


@mistake("witten_bell", "n and u are those of the whole array; each row has its own (equation 7)")
def one_context_for_all(counts, lower):
    u = (counts > 0).sum()
    return (counts + u * lower) / (counts.sum() + u)


@mistake("witten_bell", "the shorter context helps only where the count is 0, so the row exceeds 1; it is mixed in "
                        "everywhere (equation 7)")
def only_where_the_count_is_0(counts, lower):
    n, u = sums(counts)
    return np.where(n > 0, np.where(counts > 0, counts, u * lower) / np.maximum(n + u, 1), lower)


@mistake("witten_bell", "the counts are written over: an input must be left as it was")
def writes_into_the_counts(counts, lower):
    p = witten_bell(counts, lower)
    counts[...] = p
    return p


@mistake("absolute_discounting", "a count of 0 goes below 0; that is what max(n - d, 0) is for (equation 8)")
def below_zero(counts, lower, d):
    n, u = sums(counts)
    return np.where(n > 0, (counts - d + d * u * lower) / np.maximum(n, 1), lower)


@mistake("absolute_discounting", "d is taken from each of the u characters that followed, so d u is to be given "
                                 "back, not d (equation 8)")
def given_back_once(counts, lower, d):
    n, _ = sums(counts)
    return np.where(n > 0, (np.maximum(counts - d, 0) + d * lower) / np.maximum(n, 1), lower)


@mistake("absolute_discounting", "what is taken away goes nowhere: it is for the shorter context (equation 8)")
def given_to_nobody(counts, lower, d):
    n, _ = sums(counts)
    return np.where(n > 0, np.maximum(counts - d, 0) / np.maximum(n, 1), lower)


@mistake("absolute_discounting", "it is divided by n + u, as in Witten-Bell; here nothing was added, so divide by n "
                                 "(equation 8)")
def divided_by_n_and_u(counts, lower, d):
    n, u = sums(counts)
    return np.where(n > 0, (np.maximum(counts - d, 0) + d * u * lower) / np.maximum(n + u, 1), lower)


@mistake("absolute_discounting", "what was taken goes only to those with a count of 0, so the row falls short of 1; "
                                 "all get a part of it (equation 8)")
def given_only_where_the_count_is_0(counts, lower, d):
    n, u = sums(counts)
    return np.where(n > 0, np.where(counts > 0, counts - d, d * u * lower) / np.maximum(n, 1), lower)


@mistake("absolute_discounting", "a share d of each count is taken; take the same d from every count (equation 8)")
def a_share_of_each_count(counts, lower, d):
    n, _ = sums(counts)
    return np.where(n > 0, (1 - d) * counts / np.maximum(n, 1) + d * lower, lower)


@mistake("absolute_discounting", "where nothing was counted it divides by 0; there `lower` stays as it is")
def discounted_without_a_context(counts, lower, d):
    n, u = sums(counts)
    return (np.maximum(counts - d, 0) + d * u * lower) / n


def adapting(ids, V, *, first=None, before=0, after=1, added=1, spread=None, context=lambda ids, i: ids[i - 1]):
    """adaptive_bits with one thing done otherwise; before, after: what is counted before and after a look at p."""
    counts, bits = np.zeros((V, V)), np.full(len(ids), np.log2(V) if first is None else first)
    for i in range(1, len(ids)):
        row = counts[context(ids, i)]
        row[ids[i]] += before
        bits[i] = -np.log2((row[ids[i]] + added) / (row.sum() + (added * V if spread is None else spread)))
        row[ids[i]] += after
    return bits


@mistake("adaptive_bits", "the character is counted before its own probability is taken, so the model knows what is to "
                          "come (equation 9)")
def leaks_as_given(ids, V):
    return adapting(ids, V, before=1, after=0)


@mistake("adaptive_bits", "the pair before is counted too late: all of what stands before counts (equation 9)")
def counted_too_late(ids, V):
    counts, bits = np.zeros((V, V)), np.full(len(ids), np.log2(V))
    for i in range(1, len(ids)):
        row = counts[ids[i - 1]]
        bits[i] = -np.log2((row[ids[i]] + 1) / (row.sum() + V))
        if i >= 2:
            counts[ids[i - 2], ids[i - 1]] += 1
    return bits


@mistake("adaptive_bits", "the table is counted on the whole text first, the future included (equation 9)")
def counts_of_the_whole_text(ids, V):
    counts = pairs(ids, V) + 1
    p = counts / counts.sum(axis=-1, keepdims=True)
    return np.append(np.full(min(len(ids), 1), np.log2(V)), -np.log2(p[ids[:-1], ids[1:]]))


@mistake("adaptive_bits", "the first character is free here; nothing stands before it, and it costs log2 V "
                          "(equation 10)")
def first_one_is_free(ids, V):
    return adapting(ids, V, first=0.0)


@mistake("adaptive_bits", "V is missing below the line: 1 was added to each of V counts (equation 9)")
def row_too_large(ids, V):
    return adapting(ids, V, spread=1)


@mistake("adaptive_bits", "1 is not added: what is new costs infinitely many bits (equation 9)")
def nothing_added(ids, V):
    with np.errstate(all="ignore"):
        return adapting(ids, V, added=0)


@mistake("adaptive_bits", "these are nats; bits need the logarithm with base 2 (equation 9)")
def adaptive_nats(ids, V):
    return adapting(ids, V) * np.log(2)


@mistake("adaptive_bits", "no context is kept: the row is always the same; it is that of the character before "
                          "(equation 9)")
def adaptive_unigram(ids, V):
    return adapting(ids, V, context=lambda ids, i: 0)
