"""A vector for each text, from an encoder: texts that mean the same lie close together."""
import torch

from minigpt.pooling import pooling


@torch.no_grad()
def sentence_embeddings(model, tokenizer, texts, *, longest=256, batch_size=32, progress=None):
    """The mean of a text's hidden states, brought to length 1: the dot product of two is their cosine.

        (1) z = mean over the tokens of hidden([CLS] text [SEP])
        (2) y = z / |z|

    texts: N strings; longest: tokens, the rest of a text is not read; batch_size: texts at a time, of like length.
    progress: called with the number of texts done so far.
    Returns y: (N, C), on the CPU.
    Source: Reimers & Gurevych 2019, arXiv:1908.10084, section 3.
    """
    longest = min(longest, model.config.context_length)
    rows = [tokenizer.pair(tokenizer.encode(text), longest=longest)[0] for text in texts]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))                  # little padding in a batch
    y = torch.empty(len(rows), model.config.d_model)
    device, pad = next(model.parameters()).device, tokenizer.special_ids["[PAD]"]
    for at in range(0, len(rows), batch_size):
        chosen = order[at:at + batch_size]
        T = len(rows[chosen[-1]])
        ids = torch.tensor([rows[i] + [pad] * (T - len(rows[i])) for i in chosen], device=device)         # (B,T)
        mask = torch.arange(T, device=device) < torch.tensor([[len(rows[i])] for i in chosen], device=device)
        z = pooling(model.hidden(ids, mask), mask)                                # (B,C)  (1)
        y[chosen] = torch.nn.functional.normalize(z, dim=-1).cpu()                # (B,C)  (2)
        if progress:
            progress(at + len(chosen))
    return y
