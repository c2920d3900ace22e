"""Long commands are killed at random moments and end with what an undisturbed run has; ``kills.py`` does it fifty times
each."""

import pytest
from kills import COMMANDS, endure


@pytest.mark.parametrize(("name", "kills"), [("read", 2), ("fetch", 4)])
def test_a_command_that_is_killed_ends_as_an_undisturbed_one(tmp_path, name, kills):
    assert endure(COMMANDS[name], tmp_path, kills, seed=7)["kills"] == kills
