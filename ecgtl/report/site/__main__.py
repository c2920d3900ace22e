"""``python -m ecgtl.report.site``: what ``make book`` runs."""

import sys

from ecgtl import processes
from ecgtl.report.site.book import STOPPED, main

if __name__ == "__main__":
    sys.exit(processes.stoppable(main, STOPPED))
