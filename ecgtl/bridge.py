"""Transitional: results and protocols, which were dictionaries, still answer to ``found["name"]``."""


class Keyed:
    """Attributes that may be asked for as keys too, until nobody does so any more."""

    def __getitem__(self, name):
        return getattr(self, name)

    def get(self, name, default=None):
        """The attribute, or ``default`` where the class has none of that name."""
        return getattr(self, name, default)
