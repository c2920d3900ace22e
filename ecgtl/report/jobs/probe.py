"""What the job that probes an encoder shows."""

import pandas as pd

from ecgtl import results
from ecgtl.analysis.names import SCORES, f1
from ecgtl.config import protocol
from ecgtl.jobs import probe
from ecgtl.report.words import limits


def table(result: results.Result) -> pd.DataFrame:
    """A row a share: labels that were used, the reported score with its interval, and why where there is none."""
    several, found = result.arrays["y_test"].ndim == 2, []
    score = protocol(probe.HOME).for_labels(several, probe.HOME).score
    for share in (*result.data["split"], *result.data["refused"]):
        counts, own = result.data["split"].get(share, {}).get("train", {}), result.scores.get(share)
        words = f"{f1(own[score])} {limits(own['low'], own['high'])}" if own else result.data["refused"][share]
        found.append({"Labels": share, "Of each class": ", ".join(f"{name} {n}" for name, n in counts.items()) or "–",
                      f"{SCORES[score]} [95 %, test recordings]": words})
    return pd.DataFrame(found)
