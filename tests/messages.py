"""What every message to a user is held to."""

import re
from pathlib import Path


def one_line(error, *words):
    """The caught ``error`` is one short line that names ``words``; a word that only the test's own folder names
    fails."""
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    bare = re.sub(r"\S*/test_[^/\s]*/", "", text)  # pytest's folders carry the names of the tests
    for word in words:
        assert str(word) in (text if isinstance(word, Path) else bare)
