"""Right answers to the questions of the lesson ready, which no check judges: the lesson does."""
shapes = {
    "the shape of a @ b": (2, 4),
    "the shape of c @ b": (5, 2, 4),
    "the shape of c.swapaxes(-1, -2)": (5, 3, 2),
}
broadcasting = {
    "the shape of x + y": (4, 3),
    "the shape of y + z": (4, 3),
    "the shape of x + np.ones(4)": "error",
}
axes = {
    "m.sum(axis=0)": [5, 7, 9],
    "m.sum(axis=-1)": [6, 15],
}
logarithms = {
    "log 8": 2.08,
    "-log(1/4), what a guess among four costs": 1.39,
}
chain_rule = {
    "z = y², y = 3 x + 1: how fast does z rise with x, at x = 1?": 24,
    "z = x y, with x = 2 and y = 5: how fast does z rise with x?": 5,
}
