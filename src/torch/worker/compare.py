"""Runs the prepared graph in float beside the converted one, layer by layer, and keeps only sums of squares.

Both graphs advance together, and a value is dropped after its last use, so that memory holds a part of one sample.
"""

import operator
import time

import torch
from torch import fx, nn

from align import align, computes, passes_on, source_of
from errors import ErrorSums

_OUT_OF_PLACE = {operator.iadd: operator.add, operator.imul: operator.mul, operator.isub: operator.sub, torch.relu_: torch.relu}


def without_inplace(module):
    """Turns in-place operators of a graph into others, in place: what a value was must not change under its reader."""
    for part in module.modules():
        if isinstance(getattr(part, "inplace", None), bool):
            part.inplace = False
    for node in module.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
        if node.op == "call_function" and node.target in _OUT_OF_PLACE:
            node.target = _OUT_OF_PLACE[node.target]
        if node.op == "call_method" and node.target in ("relu_", "add_", "mul_", "sub_", "clamp_", "sigmoid_", "tanh_"):
            node.target = node.target[:-1]
    module.recompile()
    return module


class Stepper:
    """Interprets a graph node by node. `keep` counts for each node how often its value will be taken by others."""

    def __init__(self, module, inputs, skip=False, keep=None):
        self._module = module
        self._skip = skip
        self._interpreter = fx.Interpreter(module, garbage_collect_values=False)
        self._interpreter.args_iter = iter(inputs)
        self.env = self._interpreter.env = {}
        self._nodes = iter(module.graph.nodes)
        self._left = {node: len(node.users) for node in module.graph.nodes}
        for node, count in (keep or {}).items():
            self._left[node] += count

    def until(self, wanted):
        """Runs the nodes before `wanted`, and `wanted`."""
        while wanted not in self.env:
            self.step(next(self._nodes))
        return self.env[wanted]

    def step(self, node):
        if self._skip and passes_on(node, self._module):
            self.env[node] = self.env[node.args[0]]
        else:
            self.env[node] = self._interpreter.run_node(node)
        for argument in node.all_input_nodes:
            self.release(argument)

    def release(self, node):
        self._left[node] -= 1
        if self._left[node] == 0:
            del self.env[node]


def first_tensor(value):
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return next((found for found in map(first_tensor, value) if found is not None), None)
    return None


def as_float(value):
    tensor = first_tensor(value)
    if tensor is None:
        return None
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor if tensor.is_floating_point() else None


def memory_format(tensor):
    if not tensor.is_contiguous():
        if tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
            return torch.channels_last
        if tensor.dim() == 5 and tensor.is_contiguous(memory_format=torch.channels_last_3d):
            return torch.channels_last_3d
    return torch.contiguous_format


def tensor_facts(value):
    tensor = first_tensor(value)
    if tensor is None:
        return None
    facts = {"type": str(tensor.dtype).replace("torch.", ""), "shape": list(tensor.shape), "quantization": None}
    if tensor.is_quantized:
        facts["quantization"] = quantization_facts(tensor)
    return facts


def quantization_facts(tensor):
    kind = {torch.quint8: "uint8", torch.qint8: "int8", torch.qint32: "int32"}.get(tensor.dtype, str(tensor.dtype))
    if tensor.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric):
        scale = tensor.q_per_channel_scales().tolist()
        zero = [int(value) for value in tensor.q_per_channel_zero_points().tolist()]
        return {"type": kind, "scale": scale, "zeroPoint": zero, "axis": tensor.q_per_channel_axis()}
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return {"type": kind, "scale": [tensor.q_scale()], "zeroPoint": [tensor.q_zero_point()], "axis": None}
    return None


class Comparison:
    """Errors and facts of every pair of a prepared (observed, calibrated) and a converted graph."""

    def __init__(self, prepared, converted):
        self.prepared = without_inplace(prepared)
        self.converted = converted
        self.pairs, self.same = align(prepared, converted)
        self._by_node = {pair.node: pair for pair in self.pairs}
        # How often the comparison itself takes a float value: as a result, and for each argument of a pair.
        self._keep = {}
        for pair in self.pairs:
            for node in [pair.reference, *self._arguments(pair)]:
                self._keep[node] = self._keep.get(node, 0) + 1
        self.accumulated = {pair.node: ErrorSums() for pair in self.pairs}
        self.local = {pair.node: ErrorSums() for pair in self.pairs}
        self.outputs = {}
        self.facts = {}

    def _arguments(self, pair):
        sources = [self.same.get(source_of(argument, self.converted)) for argument in pair.node.all_input_nodes]
        return [source for source in sources if source is not None]

    def add(self, sample, inputs):
        reference = Stepper(self.prepared, inputs, skip=True, keep=self._keep)
        with torch.no_grad():
            actual = Stepper(self.converted, inputs)
            for node in self.converted.graph.nodes:
                pair = self._by_node.get(node)
                if node.op == "output":
                    self._compare_outputs(sample, node, reference, actual)
                elif pair is None:
                    actual.step(node)
                else:
                    self._compare(sample, pair, reference, actual)

    def _compare(self, sample, pair, reference, actual):
        node = pair.node
        expected = reference.until(pair.reference)
        arguments = {argument: actual.env[argument] for argument in node.all_input_nodes}
        actual.step(node)
        value = actual.env.get(node)
        if node not in self.facts:
            self.facts[node] = {
                "inputs": [(self.same.get(source_of(a, self.converted)), tensor_facts(v)) for a, v in arguments.items()],
                "output": tensor_facts(value),
            }
        x, y = as_float(expected), as_float(value)
        if x is not None and y is not None:
            self.accumulated[node].add(sample, x, y)
            if self.runs_int8(node):
                alone = as_float(self._alone(node, arguments, reference))
                if alone is not None:
                    self.local[node].add(sample, x, alone)
        for released in [pair.reference, *self._arguments(pair)]:
            reference.release(released)

    def _alone(self, node, arguments, reference):
        """The converted layer fed with the float model's values, quantized as the converted model quantizes them."""

        def feed(argument):
            value, source = arguments[argument], self.same.get(source_of(argument, self.converted))
            if source is None or not isinstance(value, torch.Tensor):
                return value
            exact = reference.env[source]
            if not value.is_quantized or value.qscheme() != torch.per_tensor_affine:
                return exact if isinstance(exact, torch.Tensor) and not value.is_quantized else value
            # In the layout that the layer met when it ran: a kernel may be right in one and wrong in another.
            exact = exact.contiguous(memory_format=memory_format(value))
            return torch.quantize_per_tensor(exact, value.q_scale(), value.q_zero_point(), value.dtype)

        args, kwargs = fx.map_arg(node.args, feed), fx.map_arg(node.kwargs, feed)
        return getattr(fx.Interpreter(self.converted), node.op)(node.target, args, kwargs)

    def _compare_outputs(self, sample, node, reference, actual):
        for index, argument in enumerate(flatten_nodes(node.args[0])):
            source = self.same.get(source_of(argument, self.converted))
            if source is None:
                continue
            x, y = as_float(reference.env.get(source)), as_float(actual.env.get(argument))
            if x is not None and y is not None:
                self.outputs.setdefault(index, ErrorSums()).add(sample, x, y)

    def runs_int8(self, node):
        """Whether integers went in or came out when the layer ran, or its module keeps int8 weights of its own."""
        facts = self.facts[node]
        if facts["output"] is None:
            return False
        if is_dynamic(node, self.converted):
            return True
        tensors = [facts["output"], *(fact for _, fact in facts["inputs"] if fact is not None)]
        return any(fact["quantization"] is not None for fact in tensors)


def is_dynamic(node, module):
    if node.op == "call_module":
        kind = type(module.get_submodule(node.target))
        return ".quantized.dynamic" in kind.__module__
    return node.op == "call_function" and "dynamic" in str(node.target)


def flatten_nodes(value):
    found = []
    fx.map_arg(value, found.append)
    return found


def time_nodes(module, inputs, skip, runs):
    """Microseconds of every computing node, the median of several runs."""
    times = {}
    with torch.no_grad():
        for _ in range(runs):
            stepper = Stepper(module, inputs, skip=skip)
            for node in module.graph.nodes:
                start = time.perf_counter()
                stepper.step(node)
                spent = (time.perf_counter() - start) * 1e6
                if computes(node, module):
                    times.setdefault(node, []).append(spent)
    return {node: sorted(values)[len(values) // 2] for node, values in times.items()}


def module_of(node, owner):
    return owner.get_submodule(node.target) if node.op == "call_module" else None


def multiply_adds(node, owner, output):
    """Of one sample, as the weight tells: every output element costs one product per weight of its channel."""
    module = module_of(node, owner)
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor) or output is None or isinstance(module, nn.Embedding) or weight.dim() < 2:
        return 0
    elements = 1
    for dim in output["shape"]:
        elements *= dim
    return elements * (weight.numel() // weight.shape[0])
