"""The converted graph on int8 kernels: Inductor's passes replace what stands between quantize and dequantize by oneDNN's.

No compiler is needed for that. Of what has no such kernel the float operator stays, between dequantize and quantize.
"""

import copy
import math

import torch

from errors import SQNR_FLOOR
from failures import describe
from sidebyside import time_nodes
from tensors import copied, first_tensor

_KEY = "quantscope"


class Lowered:
    """`kernels`: of each layer, by its first node, what the lowered graph does for it; `times`: microseconds likewise;
    `agreement`: SQNR of its first output to that of the converted graph on the example, None where they are equal."""

    def __init__(self, module, converted, example, runs):
        self.module = module
        self.kernels, self.times = {}, {}
        for node, spent in time_nodes(module, example, runs).items():
            layer = node.meta.get("custom", {}).get(_KEY)
            if layer is not None:
                self.kernels.setdefault(layer, []).append(node.target)
                self.times[layer] = self.times.get(layer, 0.0) + spent
        with torch.no_grad():
            self.agreement = _sqnr(first_tensor(converted(*copied(example))), first_tensor(module(*copied(example))))

    def int8_kernel(self, layer):
        """The name of the int8 kernel of a layer, or None."""
        return next((name for name in map(kernel_name, self.kernels.get(layer, [])) if is_int8(name)), None)


def kernel_name(target):
    """`onednn.qconv_pointwise`, `hardtanh`"""
    schema = getattr(target, "_schema", None)
    return getattr(target, "__name__", str(target)) if schema is None else schema.name.removeprefix("aten::").replace("::", ".")


def is_int8(name):
    return name.startswith("onednn.q")


def lower_graph(converted, example):
    """The lowered module. @raise what torch raises where it cannot be lowered"""
    from torchao.quantization.pt2e.lowering import lower_pt2e_quantized_to_x86

    # Registers the passes.
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer  # noqa: F401

    with torch.no_grad():
        return lower_pt2e_quantized_to_x86(converted, tuple(copied(example)))


def lower(converted, parts, example, runs):
    """(Lowered, None), or (None, why not)."""
    tagged = copy.deepcopy(converted)
    nodes = {node.name: node for node in tagged.graph.nodes}
    for part in parts:
        # torch.export keeps what lies under this key, through every pass.
        for node in [*part.chain, *([] if part.written is None else [part.written])]:
            nodes[node.name].meta["custom"] = {_KEY: part.layer.node}
    try:
        lowered = Lowered(lower_graph(tagged, example), converted, example, runs)
    except Exception as error:
        return None, describe(error).split("\n")[0]
    if not any(lowered.int8_kernel(part.layer.node) for part in parts):
        return None, "torch has no int8 kernel for any of its layers on this machine"
    return lowered, None


def _sqnr(expected, found):
    finite = torch.isfinite(expected)
    x, y = expected[finite].double(), found[finite].double()
    difference, power = float((x - y).square().sum()), float(x.square().sum())
    if difference == 0:
        return None
    return 10 * math.log10(power / difference) if power > 0 and math.isfinite(difference) else SQNR_FLOOR
