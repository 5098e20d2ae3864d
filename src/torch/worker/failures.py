"""Failures that the driver can explain: what was being done, and where in the user's files it went wrong."""

import os
import sys
import traceback


class Failure(Exception):
    """`kind` is one that the driver knows; `where` is the key of the recipe that is to blame; `facts` are what a fix of
    this kind needs to know."""

    def __init__(self, kind, message, where=None, facts=None):
        super().__init__(message)
        self.kind = kind
        self.where = where
        self.facts = facts


class During:
    """Says which key of the recipe is to blame for whatever is raised inside."""

    def __init__(self, where, what):
        self._where = where
        self._what = what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _traceback):
        if error is None or isinstance(error, (Failure, KeyboardInterrupt, SystemExit)):
            return False
        failure = Failure("raised", f"{self._what} raised {describe(error)}", self._where)
        raise failure from error


def describe(error):
    text = str(error).strip()
    return type(error).__name__ + (f": {text}" if text else "")


def to_message(error):
    """What crosses the wire of an exception: its kind, its frames in the user's files, and the whole traceback."""
    root = error.__cause__ if isinstance(error, Failure) and error.__cause__ is not None else error
    frames = [
        {"file": frame.filename, "line": frame.lineno or 0, "function": frame.name}
        for frame in traceback.extract_tb(root.__traceback__)
        if is_user_file(frame.filename)
    ]
    return {
        "kind": error.kind if isinstance(error, Failure) else "raised",
        "message": str(error) if isinstance(error, Failure) else describe(error),
        "where": getattr(error, "where", None),
        "facts": getattr(error, "facts", None),
        "frames": frames,
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }


_OWN = os.path.dirname(os.path.abspath(__file__))
_STANDARD = os.path.dirname(os.__file__)


def is_user_file(file):
    """Whether a source file is the user's: not ours, not the standard library, not an installed package."""
    if file.startswith("<"):
        return False
    path = os.path.abspath(file)
    parts = path.split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    return not path.startswith((_OWN + os.sep, _STANDARD + os.sep, os.path.join(sys.prefix, "lib") + os.sep))
