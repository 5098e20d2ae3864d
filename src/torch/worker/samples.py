"""Samples as the driver streams them: decoded and preprocessed there, so that every framework sees the same pixels."""

import time

import torch

_TYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "bool": torch.bool,
}


def tensor_of(data, kind, shape):
    if not data:
        return torch.empty(shape, dtype=_TYPES[kind])
    return torch.frombuffer(data, dtype=_TYPES[kind]).reshape(shape)


class Samples:
    """Iterates over `(id, [tensor, …])` in the order of the inputs, and reports progress after each.

    `before`: how many of `total` earlier requests have done.
    """

    def __init__(self, wire, names, stage, total, before):
        self._wire = wire
        self._names = names
        self._stage = stage
        self._total = total
        self._before = before

    def __iter__(self):
        done, start = 0, time.monotonic()
        while True:
            message = self._wire.receive()
            if message is None:
                raise EOFError("the driver went away")
            if message.get("end"):
                return
            tensors = {}
            for entry in message["tensors"]:
                data = self._wire.receive_bytes(entry["bytes"])
                tensors[entry["name"]] = tensor_of(data, entry["type"], entry["shape"])
            # TorchScript may call its arguments otherwise than the model that it was made of: then the order counts.
            known = all(name in tensors for name in self._names)
            yield message["sample"], [tensors[name] for name in self._names] if known else list(tensors.values())
            done += 1
            if self._stage is not None:
                rate = done / max(time.monotonic() - start, 1e-9)
                self._wire.event("progress", stage=self._stage, done=self._before + done, total=self._total, rate=rate)
