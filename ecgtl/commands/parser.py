"""The words of the command line, from ``commands.yml`` and the fields of configs."""

import argparse
import contextlib
import dataclasses
import difflib
import importlib
from collections.abc import Collection
from functools import partial
from typing import Any

from ecgtl import __version__, paths
from ecgtl.errors import EcgtlError

DESCRIPTION = "Reproducible companion to three papers on transfer learning for ECG classification."


def resolved(name: str) -> Any:
    """What ``module:attribute`` of this package stands for; whatever the module needs is imported now."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"ecgtl.{module}"), attribute)


def parser(asked: Collection[str]) -> "Parser":
    """The command line; the fields of configs are looked up, which takes a while, for the commands in ``asked`` alone.

    What it reads holds ``call``, as ``resolved`` takes it, and beside the words that were given those that
    ``commands.yml`` has for it.
    """
    made = Parser(prog="ecgtl", description=DESCRIPTION)
    made.add_argument("--version", action="version", version=f"ecgtl {__version__}")
    _add_commands(made, "command", paths.facts("commands"), asked)
    return made


def completion(shell: str) -> None:
    """Print a script that completes words of the command line, for a ``shell``."""
    import shtab  # noqa: PLC0415  (for this alone)

    print(shtab.complete(parser(paths.facts("commands")), shell))


def lead(text: str) -> str | int:
    """A lead as it was typed: digits are an index."""
    return int(text) if text.isdecimal() else text


class Parser(argparse.ArgumentParser):
    """Wrong words on the command line end in the same one line as everything else."""

    def error(self, message: str):
        raise EcgtlError(f"{message}; see '{self.prog} --help'")

    def add_argument(self, *names, **options):
        """What is not one of a few words may be a file; shtab looks at ``complete``."""
        action = super().add_argument(*names, **options)
        if action.nargs != 0 and action.choices is None:
            action.complete = "file"  # type: ignore[attr-defined]
        return action

    def parse_known_args(self, args=None, namespace=None):
        """What is not known is refused by the command that it was said to, which knows what is like it."""
        given, unknown = super().parse_known_args(args, namespace)
        if unknown:
            close = difflib.get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, n=1)
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + "".join(f" (did you mean {o}?)" for o in close))
        return given, unknown


class _Words(tuple):
    """Words to show and to complete; the config refuses others, in the same words as in a notebook."""

    def __contains__(self, word) -> bool:
        return True


def _add_commands(made: argparse.ArgumentParser, dest: str, commands: dict, asked: Collection[str]) -> None:
    """Sub-commands with their arguments as ``commands.yml`` has them; the one that is chosen is in ``dest``."""
    added = made.add_subparsers(dest=dest, required=True)
    for name, entry in commands.items():
        config = resolved(entry["config"]) if "config" in entry and name in asked else None
        about = f"{entry['help']}. {config.__doc__}" if config and "job" in entry.get("with", {}) else entry["help"]
        command, there = added.add_parser(name, help=entry["help"], description=about.replace("``", "")), set()
        for argument, options in entry.get("arguments", {}).items():
            kind = {"type": {"int": int, "float": float, "lead": lead}[options["type"]]} if "type" in options else {}
            there.add(command.add_argument(argument, **options | kind).dest)
        if config:
            _add_parameters(command, config, there)
        if "verbs" in entry:
            _add_commands(command, "verb", entry["verbs"], asked)
        called = {key: entry[key] for key in ("call", "config") if key in entry} | entry.get("with", {})
        options = {action.dest: action.option_strings[-1] for action in command._actions if action.option_strings}
        command.set_defaults(options=options, **called)


def _add_parameters(command: argparse.ArgumentParser, config: Any, there: set[str]) -> None:
    """The fields of ``config`` as options, but for those that are ``there``; not given means the default."""
    words, said = resolved("config.parameters:WORDS") | config.words(), config.descriptions()
    for field in dataclasses.fields(config):
        if field.name not in there:
            default = "" if field.default == "" or "(default: " in said[field.name] else f" (default: {field.default})"
            command.add_argument(f"--{field.name.replace('_', '-')}", type=partial(_value, field.type),
                                 default=argparse.SUPPRESS, help=(said[field.name] + default).replace("%", "%%"),
                                 choices=_Words(words[field.name]) if field.name in words else None)


def _value(kind: Any, text: str) -> Any:
    """A parameter as it was typed: what papermill takes it for, but a number is text where nothing else will do."""
    for read in ({"True": True, "False": False, "None": None}.__getitem__, int, float):
        with contextlib.suppress(KeyError, ValueError):
            found = read(text)
            return text if kind is str and found is not None else found
    return text
