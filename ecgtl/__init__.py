"""ecgtl: a reproducible companion to three papers on transfer learning for ECG classification."""

__version__ = "0.1.0"
