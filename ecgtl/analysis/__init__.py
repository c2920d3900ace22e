"""From results to numbers: cells, comparisons, claims and their verdicts, coverage, costs. No HTML and no figures."""
