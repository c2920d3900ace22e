"""A script that completes words of the command line."""

import shtab

from ecgtl import paths
from ecgtl.commands.parser import parser


def completion(shell: str) -> None:
    """Print it for a ``shell``."""
    print(shtab.complete(parser(paths.facts("commands")), shell))
