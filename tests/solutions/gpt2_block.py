"""One right answer to the exercise real_weights.4."""
import numpy as np


def block_from_gpt2(theirs, untrained):
    """GPT-2's matrices are (in, out), so each is turned, the square ones too; c_attn holds q, k, v side by side."""
    places = {"attention_norm": "ln_1", "attention.output": "attn.c_proj", "feed_forward_norm": "ln_2",
              "feed_forward.up": "mlp.c_fc", "feed_forward.down": "mlp.c_proj"}
    ours = {}
    for name in untrained:
        place, _, kind = name.rpartition(".")
        if place in places:
            found = theirs[f"{places[place]}.{kind}"]
        else:
            third = ["attention.query", "attention.key", "attention.value"].index(place)
            found = np.split(theirs[f"attn.c_attn.{kind}"], 3, axis=-1)[third]    # (C,C) or (C,)
        ours[name] = found.T                                                      # of a row of numbers: itself
    return ours
