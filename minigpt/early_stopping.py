"""Early stopping: keep the weights that were best on held-out data, and end when nothing better comes."""
import torch


class EarlyStopping:
    """Watches the validation loss of a training, and keeps a copy of what was learned when it was lowest.

    patience: this many records in a row without a lower loss end the training; 0 lets it go on to its end.
    Only parameters that learn are kept. `state` goes into a checkpoint, so that a resumed run decides the same.
    Source: Prechelt 1998, "Early Stopping - But When?".
    """

    def __init__(self, patience=0):
        self.patience = patience
        self.best, self.weights = float("inf"), {}     # nats; {name: tensor}
        self.step = self.worse = 0                     # of the best; records since then

    @property
    def stopped(self):
        """Whether the training is to end."""
        return 0 < self.patience <= self.worse

    def see(self, record, model):
        """Take notice of a record, a dict with step and val_loss, and of the weights that it is about."""
        loss = record["val_loss"]
        if loss is None:
            return
        self.worse += 1
        if loss < self.best:
            self.best, self.step, self.worse = loss, record["step"], 0
            self.weights = {name: p.detach().clone() for name, p in learned(model).items()}

    def state(self):
        """All that is remembered, as {name: tensor}."""
        numbers = torch.tensor([self.best, self.step, self.worse], dtype=torch.float64)
        return {"stopping": numbers} | {f"best.{name}": weight for name, weight in self.weights.items()}

    def load_state(self, tensors):
        """Go on where `state` was taken."""
        self.best, step, worse = tensors["stopping"].tolist()
        self.step, self.worse = int(step), int(worse)
        self.weights = {name.removeprefix("best."): weight.clone() for name, weight in tensors.items()
                        if name.startswith("best.")}

    @torch.no_grad()
    def restore(self, model):
        """Put the best weights back into the model; without any, its weights stay."""
        parameters = learned(model)
        for name, weight in self.weights.items():
            parameters[name].copy_(weight)


def learned(model):
    """{name: parameter} of what is trained."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
