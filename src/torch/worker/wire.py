"""The worker's side of the wire: JSON lines, with tensors as raw bytes behind the line that announces them.

Every line is one object. From the driver: ``{"id", "method", "params"}`` for a request; ``{"sample", "tensors": [{"name",
"type", "shape", "bytes"}]}`` followed by the bytes of the tensors; ``{"end": true}`` after the last sample. From the
worker: ``{"id", "result"}``, ``{"id", "error"}``, ``{"event": …}``.
"""

import json
import math
import os
import sys


class Wire:
    """Owns the real standard output; whatever else prints is sent to standard error."""

    def __init__(self):
        self._input = sys.stdin.buffer
        # User code and native libraries print as they like: the descriptor that they know becomes standard error.
        self._output = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def receive(self):
        """The next object, or None at the end of the input."""
        line = self._input.readline()
        return json.loads(line) if line else None

    def receive_bytes(self, count):
        data = bytearray(count)
        view = memoryview(data)
        filled = 0
        while filled < count:
            got = self._input.readinto(view[filled:])
            if not got:
                raise EOFError("the driver went away in the middle of a tensor")
            filled += got
        return data

    def send(self, message):
        self._output.write(json.dumps(plain(message), allow_nan=False).encode() + b"\n")
        self._output.flush()

    def event(self, name, **fields):
        self.send({"event": name, **fields})


def plain(value):
    """JSON has no infinities: they and NaN become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
