"""What a fine-tuned model must beat: simple classifiers that count words, trained on the same labels."""
import time
from collections import Counter, namedtuple

import torch

from minigpt.calibration import calibration
from minigpt.confusion_matrix import accuracy, confusion_matrix, macro_f1

# ece: None where there are no probabilities; seconds: of learning; parameters: how many numbers are learned
Baseline = namedtuple("Baseline", "name accuracy macro_f1 ece seconds parameters")


def baselines(task):
    """A Baseline each, on the test part: majority, and TF-IDF with naive Bayes, logistic regression, a linear SVM.

        tfidf_tw = (1 + log count_tw) (log((1 + N) / (1 + N_w)) + 1),   scaled to length 1 per text
        (N texts, N_w of them with the word w)

    Single words, with settings (alpha, C) that are the same for every task: none is tuned to one. Pairs of words as
    well are better with many labels on some tasks, and worse with few. They see training texts only, never validation.
    Scripts without spaces between words (Chinese) are cut into pairs of characters.
    Raises ImportError without scikit-learn.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.svm import LinearSVC
    yield _majority(task)
    unspaced = sum(ord(c) > 0x2E80 for e in task.train for c in e.text) > sum(len(e.text) for e in task.train) / 4
    cut = {"analyzer": "char", "ngram_range": (1, 2)} if unspaced else {}
    for name, model in (("TF-IDF, naive Bayes", MultinomialNB(alpha=0.03)),
                        ("TF-IDF, logistic regression", LogisticRegression(C=10, max_iter=1000)),
                        ("TF-IDF, linear SVM", LinearSVC())):
        yield _of_words(name, TfidfVectorizer(sublinear_tf=True, **cut), model, task)


def _majority(task):
    frequent, n = Counter(e.label for e in task.train).most_common(1)[0]
    p = torch.zeros(len(task.test), len(task.labels), dtype=torch.float64)
    p[:, frequent] = n / len(task.train)
    return _judged("majority", torch.full((len(task.test),), frequent), task, p, 0.0, 1)


def _of_words(name, counting, model, task):
    started = time.perf_counter()
    labels = [e.label for e in task.train]
    x = counting.fit_transform([e.text for e in task.train])
    model.fit(x, labels)
    seconds = time.perf_counter() - started
    test = counting.transform([e.text for e in task.test])
    learned = model.feature_log_prob_ if hasattr(model, "feature_log_prob_") else model.coef_
    p = None
    if hasattr(model, "predict_proba"):
        p = torch.zeros(len(task.test), len(task.labels), dtype=torch.float64)
        p[:, model.classes_.tolist()] = torch.from_numpy(model.predict_proba(test))
    return _judged(name, torch.from_numpy(model.predict(test)), task, p, seconds, learned.size + len(learned))


def _judged(name, predicted, task, p, seconds, parameters):
    labels = torch.tensor([e.label for e in task.test])
    matrix = confusion_matrix(labels, predicted, len(task.labels))
    ece = None if p is None else calibration(p, labels)
    return Baseline(name, accuracy(matrix), macro_f1(matrix), ece, seconds, parameters)
