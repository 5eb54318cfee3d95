"""Wrong answers to training_step."""
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from mistakes import mistake


def read(ids):
    """What the model is shown, and what it is to say."""
    return ids[:, :-1], ids[:, 1:]


def step(model, optimiser, pieces, max_norm, *, read=read, share=True, mean=True, forget="first", clip="all",
         train=True, reduction="mean"):
    """The solution with one thing done otherwise."""
    model.train(train)
    if forget == "first":
        optimiser.zero_grad()
    losses = []
    for ids in pieces:
        if forget == "each":
            optimiser.zero_grad()
        x, y = read(ids)
        loss = cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction=reduction)
        (loss / len(pieces) if share else loss).backward()
        losses.append(loss.item())
        if clip == "each":
            clip_grad_norm_(model.parameters(), max_norm)
    if forget == "last":
        optimiser.zero_grad()
    if clip == "all":
        clip_grad_norm_(model.parameters(), max_norm)
    if clip == "value":
        clip_grad_value_(model.parameters(), max_norm)
    optimiser.step()
    if clip == "late":
        clip_grad_norm_(model.parameters(), max_norm)
    return sum(losses) / len(pieces) if mean else sum(losses)


@mistake("training_step", "the model is asked for the token that it is shown; the target is the next one (equation 2)")
def not_shifted(*args):
    return step(*args, read=lambda ids: (ids[:, :-1], ids[:, :-1]))


@mistake("training_step", "the model sees all of the piece, and is asked for what it sees: nothing is shifted "
                          "(equation 2)")
def not_shifted_nor_cut(*args):
    return step(*args, read=lambda ids: (ids, ids))


@mistake("training_step", "the labels are shifted the wrong way: the model is to say what came before (equation 2)")
def shifted_back(*args):
    return step(*args, read=lambda ids: (ids[:, 1:], ids[:, :-1]))


@mistake("training_step", "the gradients are never set to 0, so each step adds those of all steps before (equation 1)")
def never_forgets(*args):
    return step(*args, forget="never")


@mistake("training_step", "the gradients are set to 0 before each piece, so only the last one counts (equation 1)")
def forgets_between_pieces(*args):
    return step(*args, forget="each")


@mistake("training_step", "nothing moves: the gradients are set to 0 after backward, or there is no step "
                          "(equations 1 and 5)")
def forgets_too_late(*args):
    return step(*args, forget="last")


@mistake("training_step", "the gradients of the pieces are added: the step is as many times too long (equation 3)")
def gradients_added(*args):
    return step(*args, share=False)


@mistake("training_step", "the losses of the pieces are added; the loss of the step is their mean (equation 3)")
def losses_added(*args):
    return step(*args, mean=False)


@mistake("training_step", "losses and gradients of the pieces are added; both are to be the mean (equation 3)")
def all_added(*args):
    return step(*args, share=False, mean=False)


@mistake("training_step", "the loss of a piece is a sum over its tokens; it is their mean (equation 2)")
def sum_over_tokens(*args):
    return step(*args, reduction="sum")


@mistake("training_step", "the gradient is not shortened before the step: never, or when it is too late (equation 4)")
def clipped_after_the_step(*args):
    return step(*args, clip="late")


@mistake("training_step", "each number is cut off at max_norm; it is the length of all together (equation 4)")
def clipped_by_value(*args):
    return step(*args, clip="value")


@mistake("training_step", "the gradient is shortened after each piece; first add up all of them (equation 4)")
def clipped_after_each_piece(*args):
    return step(*args, clip="each")


@mistake("training_step", "the model is left in eval mode, where dropout does nothing: call model.train()")
def in_eval_mode(*args):
    return step(*args, train=False)


@mistake("training_step", "a step is taken after each piece; there is one step for all of them (equation 5)")
def a_step_for_each_piece(model, optimiser, pieces, max_norm):
    return sum(step(model, optimiser, [piece], max_norm) for piece in pieces) / len(pieces)
