"""Runs the prepared graph in float beside the converted one, layer by layer, and keeps only sums of squares.

Both graphs advance together, and a value is dropped after its last use, so that memory holds a part of one sample.
"""

import math
import operator
import time

import torch
from torch import fx, nn
from torch.nn import functional

from align import align, computes, passes_on, source_of
from errors import ErrorSums
from tensors import as_float, copied, first_tensor


class Stepper:
    """Interprets a graph node by node, in its order, on inputs of its own: what is written in place spoils no other."""

    def __init__(self, module, inputs, skip=False):
        self._module = module
        self._skip = skip
        self._interpreter = fx.Interpreter(module, garbage_collect_values=False)
        self._interpreter.args_iter = iter(copied(inputs))
        self.env = self._interpreter.env = {}
        self._left = {node: len(node.users) for node in module.graph.nodes}
        # torch counts how often a tensor has been written over.
        self._versions = {}
        self._rewritten = set()

    def step(self, node):
        passes = passes_on(node, self._module)
        if passes and self.written_over(node.args[0]):
            self._rewritten.add(node)
        self.env[node] = self.env[node.args[0]] if passes and self._skip else self._interpreter.run_node(node)
        self._versions[node] = _version(self.env[node])
        for argument in node.all_input_nodes:
            self._left[argument] -= 1
            if self._left[argument] == 0:
                del self.env[argument]

    def written_over(self, node):
        """Whether an operator in place has changed the value since a layer gave it."""
        return node in self._rewritten or _version(self.env[node]) != self._versions[node]


def _version(value):
    tensor = first_tensor(value)
    return None if tensor is None else tensor._version


class Reference:
    """The float model on one sample: of every pair what its layer was given and what it gave, at that moment.

    An operator in place may write over both as soon as the model goes on, and a later layer is to see what was written.
    `written_over`: of every pair, by the nodes that computed its arguments, which had been written over.
    """

    def __init__(self, module, pairs, inputs):
        self._module = module
        self._stepper = Stepper(module, inputs, skip=True)
        self._nodes = iter(module.graph.nodes)
        self._starts = {pair.chain[0]: pair for pair in pairs}
        self._ends = {pair.reference: pair for pair in pairs}
        self._given, self._gave = {}, {}
        self.written_over = {}

    def until(self, pair):
        """The arguments of the pair, by the node that computed them, and its result. To be asked once for each pair."""
        while pair not in self._gave:
            self._step(next(self._nodes))
        return self._given.pop(pair), self._gave.pop(pair)

    def outputs(self):
        for node in self._nodes:
            if node.op == "output":
                return [self._stepper.env[argument] for argument in flatten_nodes(node.args[0])]
            self._step(node)

    def _step(self, node):
        env = self._stepper.env
        if node in self._starts:
            pair = self._starts[node]
            arguments = [(source_of(argument, self._module), argument) for argument in node.all_input_nodes]
            self._given[pair] = {source: copied(env[argument]) for source, argument in arguments}
            self.written_over[pair] = {source for source, argument in arguments if self._stepper.written_over(argument)}
        self._stepper.step(node)
        if node in self._ends:
            self._gave[self._ends[node]] = copied(env[node])


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
        self.prepared = prepared
        self.converted = converted
        self.pairs, self.same = align(prepared, converted)
        self._by_node = {pair.node: pair for pair in self.pairs}
        self.accumulated = {pair.node: ErrorSums() for pair in self.pairs}
        self.local = {pair.node: ErrorSums() for pair in self.pairs}
        self.outputs = {}
        self.facts = {}
        # Layers that read in the float model what another has written over in place, but not in the converted model.
        self.stale = set()

    def add(self, sample, inputs):
        with torch.no_grad():
            reference = Reference(self.prepared, self.pairs, inputs)
            actual = Stepper(self.converted, inputs)
            for node in self.converted.graph.nodes:
                pair = self._by_node.get(node)
                if node.op == "output":
                    found = [actual.env[argument] for argument in flatten_nodes(node.args[0])]
                    self._compare_outputs(sample, reference.outputs(), found)
                elif pair is None:
                    actual.step(node)
                else:
                    self._compare(sample, pair, reference, actual)

    def _compare(self, sample, pair, reference, actual):
        node = pair.node
        given, expected = reference.until(pair)
        arguments = {argument: actual.env[argument] for argument in node.all_input_nodes}
        for argument in arguments:
            is_old = self.same.get(source_of(argument, self.converted)) in reference.written_over[pair]
            if is_old and not actual.written_over(argument):
                self.stale.add(node)
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
                alone = as_float(self._alone(node, arguments, given))
                if alone is not None:
                    self.local[node].add(sample, x, alone)

    def _alone(self, node, arguments, given):
        """The converted layer fed with the float model's values, quantized as the converted model quantizes them."""

        def feed(argument):
            value, exact = arguments[argument], given.get(self.same.get(source_of(argument, self.converted)))
            if not isinstance(exact, torch.Tensor) or not isinstance(value, torch.Tensor):
                return value
            if not value.is_quantized or value.qscheme() != torch.per_tensor_affine:
                return value if value.is_quantized else exact
            # In the layout that the layer met when it ran: a kernel may be right in one and wrong in another.
            exact = exact.contiguous(memory_format=memory_format(value))
            return torch.quantize_per_tensor(exact, value.q_scale(), value.q_zero_point(), value.dtype)

        args, kwargs = fx.map_arg(node.args, feed), fx.map_arg(node.kwargs, feed)
        return getattr(fx.Interpreter(self.converted), node.op)(node.target, args, kwargs)

    def _compare_outputs(self, sample, expected, found):
        for index, (wanted, value) in enumerate(zip(expected, found)):
            x, y = as_float(wanted), as_float(value)
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


_PRODUCTS = (torch.matmul, torch.bmm, operator.matmul, "matmul", "bmm")
_TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
_WEIGHTED = (functional.linear, functional.conv1d, functional.conv2d, functional.conv3d, *_TRANSPOSED)


def multiply_adds(node, owner, facts):
    """Of one sample. A weight meets every element of its output channel; in a transposed convolution, whose weights
    have the input channels first, every element of its input channel; in a recurrent network every step."""
    output, given = facts["output"], next((fact for _, fact in facts["inputs"] if fact is not None), None)
    if output is None or given is None:
        return 0
    if node.target in _PRODUCTS:
        return math.prod(output["shape"]) * given["shape"][-1]
    module = module_of(node, owner)
    if isinstance(module, nn.RNNBase):
        weights = sum(value.numel() for name, value in module.named_parameters() if name.startswith("weight"))
        return math.prod(given["shape"][:-1]) * weights
    weight = _weight_of(node, module, owner)
    if weight is None or weight.dim() < 2:
        return 0
    transposed = node.target in _TRANSPOSED or "ConvTranspose" in type(module).__name__
    return math.prod((given if transposed else output)["shape"]) * (weight.numel() // weight.shape[0])


def _weight_of(node, module, owner):
    """Of a module, of the first in a fused one, or of a function that is given one of the model's tensors."""
    if isinstance(module, nn.Embedding):
        return None
    if module is not None:
        first = module[0] if isinstance(module, nn.Sequential) and len(module) > 0 else module
        weight = getattr(first, "weight", None)
        return weight if isinstance(weight, torch.Tensor) else None
    if node.target not in _WEIGHTED or len(node.args) < 2 or not isinstance(node.args[1], fx.Node):
        return None
    source = source_of(node.args[1], owner)
    if source.op != "get_attr":
        return None
    *path, name = source.target.split(".")
    return getattr(owner.get_submodule(".".join(path)), name, None)
