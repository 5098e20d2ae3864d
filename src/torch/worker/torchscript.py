"""TorchScript, by `prepare_jit` and `convert_jit`.

Its graph cannot be interpreted node by node: the layers are read off the operators of the converted graph, and of the
values only the outputs are compared.
"""

import torch
from torch.ao.quantization.quantize_jit import convert_jit, prepare_jit

from errors import ErrorSums
from failures import During
from layers import MOVES
from prepare import Changes, Prepared
from qconfigs import global_mapping
from tensors import copied, first_tensor

# A value of these is what its argument was, in other numbers.
_CONVERSIONS = ("aten::quantize_per_tensor", "aten::quantize_per_channel", "aten::dequantize")


def prepare_script(model, options):
    qconfig = global_mapping(options["backend"], options["settings"]).global_qconfig
    with During("model", "prepare_jit"):
        return Prepared(prepare_jit(model, {"": qconfig}), [], Changes())


def convert_script(prepared):
    with During("model", "convert_jit"):
        return convert_jit(prepared.module)


class OutputComparison:
    """Errors of the outputs of a model that is not looked into."""

    def __init__(self, model, converted):
        self._model = model
        self._converted = converted
        self.outputs = {}

    def add(self, sample, inputs):
        with torch.no_grad(), During("model", "The model"):
            pairs = zip(_flat(self._model(*copied(inputs))), _flat(self._converted(*copied(inputs))))
            for index, (expected, actual) in enumerate(pairs):
                self.outputs.setdefault(index, ErrorSums()).add(sample, expected.float(), actual.float())


def _flat(value):
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in _flat(item)]
    found = first_tensor(value)
    return [] if found is None else [found]


def script_layers(converted):
    """The operators of the converted graph in its order. What an operator of `aten` is given in integers it computes in
    integers, since torch chooses the kernel by the tensor."""
    layers, counts, integers = [], {}, set()
    for node in converted.inlined_graph.nodes():
        outputs = [value for value in node.outputs() if value.type().kind() == "TensorType"]
        kind = node.kind()
        if not outputs or not kind.startswith(("aten::", "quantized::")):
            continue
        given = any(value.debugName() in integers for value in node.inputs())
        ran = kind.startswith("quantized::") or given
        if kind in _CONVERSIONS:
            ran = kind != "aten::dequantize"
        if ran:
            integers.update(value.debugName() for value in outputs)
        if kind not in _CONVERSIONS:
            layers.append(_layer(kind, ran, counts))
    return layers


def _layer(kind, ran, counts):
    op = kind.split("::")[1]
    counts[op] = count = counts.get(op, 0) + 1
    name = op if count == 1 else f"{op}_{count - 1}"
    is_own = kind.startswith("quantized::")
    return {
        "name": name,
        "op": op,
        "fused": [],
        "nodes": [name],
        "scope": "",
        "source": None,
        "int8": ran,
        "reason": None if ran else "data-movement" if op in MOVES else "op-not-supported",
        "kernel": f"quantized.{op}" if is_own else f"{op} (quint8)" if ran else op,
        "time": {"int8": None, "fp32": None},
        "macs": 0,
        "local": None,
        "accumulated": None,
        "tensors": [],
    }
