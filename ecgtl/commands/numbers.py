"""Numbers of the site again: ``reproduce``, ``verify``."""

from ecgtl import paths
from ecgtl.analysis import reproduction, verification
from ecgtl.errors import EcgtlError


def reproduce(id: str, run: int, tier: str) -> int:
    """Make the run behind a number again; 1 when it differs."""
    made = reproduction.reproduce(id, run, tier)
    print("\n".join(made.lines))
    return int(made.outcome == reproduction.DIFFERENT)


def verify(id: str) -> int:
    """Compute a number again, or all; 1 when one differs."""
    verified = verification.of_number(id) if id else verification.verify()
    if not (verified.said or verified.counts["results"]):
        raise EcgtlError(f"no such result lies in {paths.results()}; run this in the checkout, or set ECGTL_RESULTS")
    print("\n".join(verified.lines()))
    return int(bool(verified.differences))
