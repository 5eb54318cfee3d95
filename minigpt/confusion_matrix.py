"""The confusion matrix of a classifier, and the scores that are read from it."""
import torch


def confusion_matrix(labels, predicted, n_classes):
    """How often each label was taken for each class.

        (1) M_ij = number of texts with label i and prediction j

    labels, predicted: (N,) integers from 0 to n_classes - 1. Returns M: (K, K) integers; right ones on the diagonal.
    Raises ValueError for another label.
    """
    for name, values in (("labels", labels), ("predicted", predicted)):
        if ((values < 0) | (values >= n_classes)).any():
            raise ValueError(f"{name} {sorted(set(values.tolist()))} are not all from 0 to {n_classes - 1}")
    cell = labels * n_classes + predicted                     # (N,)
    M = torch.bincount(cell, minlength=n_classes**2).reshape(n_classes, n_classes)          # (K, K)  (1)
    return M


def accuracy(M):
    """The share of texts that are classified rightly.

        (2) accuracy = sum_i M_ii / sum_ij M_ij

    M: (K, K). Returns a number from 0 to 1; 0 if there is no text.
    """
    return float(torch.diag(M).sum().double() / max(int(M.sum()), 1))           # (2)


def macro_f1(M):
    """The mean of the classes' F1: a rare class counts as much as a frequent one.

        (3) precision_k = M_kk / sum_i M_ik,   recall_k = M_kk / sum_j M_kj
        (4) F_k = 2 precision_k recall_k / (precision_k + recall_k) = 2 M_kk / (sum_i M_ik + sum_j M_kj)
        (5) macro F1 = mean of F_k over the classes that are a label or a prediction of some text

    M: (K, K). Returns a number from 0 to 1; 0 if there is no text.
    Source: Sokolova & Lapalme 2009, Information Processing & Management 45(4); (5) as scikit-learn counts.
    """
    either = M.sum(dim=0) + M.sum(dim=1)                      # (K,)
    f = 2 * torch.diag(M).double() / either.clamp(min=1)      # (K,)  (4)
    return float(f.sum() / max(int((either > 0).sum()), 1))   # (5)
