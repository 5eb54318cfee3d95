"""Wrong answers to decode_bound."""
from solutions.decode_bound import decode_bound as right

from mistakes import mistake


def with_bytes(n_bytes, bandwidth):
    return {"bytes": n_bytes, "tokens per second": bandwidth / max(n_bytes, 1)}


def of_codes(shapes, bits):
    return sum(O * I * bits // 8 for O, I in shapes)


@mistake("decode_bound", "the steps are forgotten: each group keeps numbers of its own")
def codes_alone(shapes, bits, group, per_group, bandwidth):
    return with_bytes(of_codes(shapes, bits), bandwidth)


@mistake("decode_bound", "a group keeps one number, whatever per_group says")
def step_without_smallest(shapes, bits, group, per_group, bandwidth):
    return right(shapes, bits, group, min(per_group, 1), bandwidth)


@mistake("decode_bound", "a group keeps two numbers, whatever per_group says")
def always_two(shapes, bits, group, per_group, bandwidth):
    return right(shapes, bits, group, 2, bandwidth)


@mistake("decode_bound", "the numbers of a group take 4 bytes each; they have 16 bits")
def steps_of_32_bits(shapes, bits, group, per_group, bandwidth):
    return right(shapes, bits, group, 2 * per_group, bandwidth)


@mistake("decode_bound", "the numbers of a group take one byte each; they have 16 bits")
def steps_of_8_bits(shapes, bits, group, per_group, bandwidth):
    steps = right(shapes, bits, group, per_group, bandwidth)["bytes"] - of_codes(shapes, bits)
    return with_bytes(of_codes(shapes, bits) + steps // 2, bandwidth)


@mistake("decode_bound", "the groups are ignored: there is one for each row")
def one_group_a_row(shapes, bits, group, per_group, bandwidth):
    return right(shapes, bits, None, per_group, bandwidth)


@mistake("decode_bound", "the groups of one row are counted, not of all O rows")
def groups_of_one_row(shapes, bits, group, per_group, bandwidth):
    steps = sum(right([(1, I)], bits, group, per_group, bandwidth)["bytes"] - I * bits // 8 for _, I in shapes)
    return with_bytes(of_codes(shapes, bits) + steps, bandwidth)


@mistake("decode_bound", "a shorter last group is left out; it keeps as many numbers as the others")
def last_group_left_out(shapes, bits, group, per_group, bandwidth):
    steps = sum(O * (1 if group is None else I // group) * per_group * 2 for O, I in shapes)
    return with_bytes(of_codes(shapes, bits) + steps, bandwidth)


@mistake("decode_bound", "groups run on from one row into the next; each row begins with a new one")
def groups_across_rows(shapes, bits, group, per_group, bandwidth):
    steps = sum(-(-O * I // (group or I)) * per_group * 2 for O, I in shapes)
    return with_bytes(of_codes(shapes, bits) + steps, bandwidth)


@mistake("decode_bound", "groups divide the rows, not the columns: an output has its own in each")
def groups_of_rows(shapes, bits, group, per_group, bandwidth):
    return right([(I, O) for O, I in shapes], bits, group, per_group, bandwidth)


@mistake("decode_bound", "bits are counted, not bytes")
def bits_for_bytes(shapes, bits, group, per_group, bandwidth):
    return with_bytes(8 * right(shapes, bits, group, per_group, bandwidth)["bytes"], bandwidth)


@mistake("decode_bound", "a code takes a whole byte, also one of 4 bits")
def a_byte_a_code(shapes, bits, group, per_group, bandwidth):
    return right(shapes, max(bits, 8), group, per_group, bandwidth)


@mistake("decode_bound", "only the largest layer is counted; a token reads all of them (equation 12)")
def largest_layer(shapes, bits, group, per_group, bandwidth):
    return right([max(shapes, key=lambda shape: shape[0] * shape[1])], bits, group, per_group, bandwidth)


@mistake("decode_bound", "seconds for a token are given, not tokens a second (equation 12)")
def seconds_a_token(shapes, bits, group, per_group, bandwidth):
    n_bytes = right(shapes, bits, group, per_group, bandwidth)["bytes"]
    return {"bytes": n_bytes, "tokens per second": n_bytes / bandwidth}


@mistake("decode_bound", "the bandwidth is divided by the number of weights, not by their bytes (equation 12)")
def weights_for_bytes(shapes, bits, group, per_group, bandwidth):
    return right(shapes, bits, group, per_group, bandwidth) | {
        "tokens per second": bandwidth / sum(O * I for O, I in shapes)}
