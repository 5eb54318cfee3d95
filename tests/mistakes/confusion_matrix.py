"""Wrong answers to confusion_matrix, accuracy and macro_f1."""
import numpy as np

from minigpt.reference.confusion_matrix import confusion_matrix
from mistakes import mistake


def f1(M):
    return 2 * np.diag(M) / np.maximum(M.sum(axis=0) + M.sum(axis=1), 1)


@mistake("confusion_matrix", "rows and columns are exchanged: a row is a label, a column a prediction (equation 1)")
def transposed(labels, predicted, n_classes):
    return confusion_matrix(labels, predicted, n_classes).T


@mistake("confusion_matrix", "the rows are divided by their sums: these are shares, not counts (equation 1)")
def shares(labels, predicted, n_classes):
    M = confusion_matrix(labels, predicted, n_classes)
    return M / np.maximum(M.sum(axis=1, keepdims=True), 1)


@mistake("confusion_matrix", "M[labels, predicted] += 1 counts a repeated pair once; use np.add.at or bincount (1)")
def repeated_pairs_count_once(labels, predicted, n_classes):
    M = np.minimum(confusion_matrix(labels, predicted, n_classes), 1)
    return M


@mistake("confusion_matrix", "a label of -1 is not refused: it is counted as the last class")
def negative_labels_wrap_around(labels, predicted, n_classes):
    return confusion_matrix(labels % n_classes, predicted % n_classes, n_classes)


@mistake("accuracy", "the share of the diagonal cells, not of the texts (equation 2)")
def mean_recall(M):
    n = M.sum(axis=1)
    return float((np.diag(M) / np.maximum(n, 1)).sum() / max((n > 0).sum(), 1))


@mistake("accuracy", "the number of right texts, not their share (equation 2)")
def number_of_right_ones(M):
    return float(np.diag(M).sum())


@mistake("accuracy", "without texts 0 is divided by 0: the accuracy is 0 then")
def accuracy_of_nothing(M):
    return float(np.diag(M).sum() / M.sum()) if M.sum() else float("nan")


@mistake("macro_f1", "a class that no text has and no prediction names counts as 0; it does not count (equation 5)")
def absent_classes_count(M):
    return float(f1(M).mean())


@mistake("macro_f1", "only classes that are a label are counted; a wrong prediction of another costs too (equation 5)")
def only_labels_count(M):
    there = M.sum(axis=1) > 0
    return float(f1(M)[there].sum() / max(there.sum(), 1))


@mistake("macro_f1", "each class is weighted by its texts; in the macro mean all classes count the same (equation 5)")
def weighted_by_texts(M):
    return float((f1(M) * M.sum(axis=1)).sum() / max(M.sum(), 1))


@mistake("macro_f1", "this is the mean recall; F1 has the precision in it as well (equation 4)")
def recall_for_f1(M):
    either = M.sum(axis=0) + M.sum(axis=1)
    return float((np.diag(M) / np.maximum(M.sum(axis=1), 1)).sum() / max((either > 0).sum(), 1))


@mistake("macro_f1", "this is the F1 of the mean precision and the mean recall, not the mean of the F1 (equation 5)")
def f1_of_means(M):
    either = M.sum(axis=0) + M.sum(axis=1)
    n = max((either > 0).sum(), 1)
    precision = (np.diag(M) / np.maximum(M.sum(axis=0), 1)).sum() / n
    recall = (np.diag(M) / np.maximum(M.sum(axis=1), 1)).sum() / n
    return float(2 * precision * recall / max(precision + recall, 1e-12))


@mistake("macro_f1", "precision and recall are averaged with their plain mean; F1 is their harmonic mean (equation 4)")
def arithmetic_mean(M):
    either = M.sum(axis=0) + M.sum(axis=1)
    precision, recall = (np.diag(M) / np.maximum(M.sum(axis=axis), 1) for axis in (0, 1))
    return float(((precision + recall) / 2).sum() / max((either > 0).sum(), 1))
