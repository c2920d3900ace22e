"""Numbers that are no training, each measured once: ``python -m ecgtl measure NAME`` stores them below results/."""
