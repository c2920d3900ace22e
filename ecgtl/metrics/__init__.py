"""Scores of predictions: NumPy arrays in, Python floats out.

Single-label functions take class indices (n,) or names; multi-label ones take 0/1 tables (n, classes) and
probabilities. A class without positives that is predicted scores 0 everywhere. One that is not predicted either
scores 0 in the F1 of all kinds, as with scikit-learn's ``zero_division=0``, and is left out of the means of
F-beta and G-beta, as in the code of Challenge 2020 and with ``zero_division=np.nan``. AUC leaves out classes
without positives or without negatives, where scikit-learn gives NaN or an error.
"""

from ecgtl.metrics.classes import (accuracy, calibration_error, confusion_matrix, f1_from_confusion, f1_per_class,
                                   learning_curve_index, macro_f1, reliability)
from ecgtl.metrics.labels import (THRESHOLD, THRESHOLDS, best_threshold, best_thresholds, f1_per_label, f_beta, f_max,
                                  g_beta, macro_auc, weighted_f1)
