"""Samples in an .npz, as Quantscope reads it: an array of the model's rank holds samples along its first axis, one of a
rank more holds whole inputs, and anything else is the same for all samples."""

import numpy as np
import onnx


class Samples:
    def __init__(self, file: str, model: str) -> None:
        proto = onnx.load(model, load_external_data=False)
        ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in proto.graph.input}
        with np.load(file) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}
        self._ranks = ranks
        self._count = max(array.shape[0] for array in self._arrays.values() if array.ndim > 0)
        self._first = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: self._of(name, array, self._first + index) for name, array in self._arrays.items()}

    def _of(self, name: str, array: np.ndarray, index: int) -> np.ndarray:
        if array.ndim == self._ranks[name] + 1:
            return array[index]
        return array[index : index + 1] if array.ndim > 0 and array.ndim == self._ranks[name] else array

    def part(self, start: int, end: int) -> "Samples":
        part = object.__new__(Samples)
        part._arrays, part._ranks = self._arrays, self._ranks
        part._first, part._count = self._first + start, min(end, self._count) - start
        return part
