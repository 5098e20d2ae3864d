"""The layers of a graph of torch.export: what the quantizer marked to be computed at once, else single operators."""

import copy

import torch
from torch import fx
from torchao.quantization.pt2e.observer import ObserverBase

from layers import MOVES, Layer, source_of_frames

_ANNOTATION = "quantization_annotation"
_Q = torch.ops.quantized_decomposed
QUANTIZE = (_Q.quantize_per_tensor.default, _Q.quantize_per_tensor.tensor, _Q.quantize_per_channel.default)
DEQUANTIZE = (_Q.dequantize_per_tensor.default, _Q.dequantize_per_tensor.tensor, _Q.dequantize_per_channel.default)
# What a module of torch makes beside that which it is for: the first state of an LSTM, its results one by one.
_BESIDE = {*MOVES, "zeros", "ones", "full", "empty"}


def is_observer(node, module):
    return node.op == "call_module" and isinstance(module.get_submodule(node.target), ObserverBase)


def passes_on(node, module):
    """Whether a node only observes or converts: its value is that of its first argument."""
    return node.target in QUANTIZE or node.target in DEQUANTIZE or is_observer(node, module)


def source_of(node, module):
    while passes_on(node, module):
        node = node.args[0]
    return node


def computes(node):
    if node.op != "call_function" or node.target in QUANTIZE or node.target in DEQUANTIZE:
        return False
    value = node.meta.get("val")
    values = value if isinstance(value, (tuple, list)) else [value]
    return any(isinstance(one, torch.Tensor) for one in values)


def weight_of(node, module):
    """The node of the constant that the operator multiplies with, or None."""
    second = node.args[1] if len(node.args) > 1 else None
    if not isinstance(second, fx.Node):
        return None
    source = source_of(second, module)
    return source if source.op == "get_attr" and attribute(source, module).dim() > 1 else None


def attribute(node, module):
    value = module
    for part in node.target.split("."):
        value = getattr(value, part)
    return value


def data_of(node, module):
    """The arguments that are computed: neither weights nor biases."""
    return [argument for argument in node.all_input_nodes if source_of(argument, module).op != "get_attr"]


class Noted:
    """What is to be known of an operator after prepare_pt2e has folded it into another."""

    def __init__(self, node):
        self.node = node.name
        self.first = node.args[0].name if node.args and isinstance(node.args[0], fx.Node) else None
        self.op = op_name(node)
        # Innermost last; a call of a module has a key of its own.
        stack = list((node.meta.get("nn_module_stack") or {}).items())
        self.call, (self.path, kind) = stack[-1] if stack else ("", ("", ""))
        self.kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        self.stack_trace = node.meta.get("stack_trace")

    @property
    def of_torch(self):
        return self.path != "" and self.kind.startswith("torch.nn.")


def note(module):
    """The operators of an exported graph, in its order."""
    return [Noted(node) for node in module.graph.nodes if computes(node)]


def op_name(node):
    """`conv2d`, `add`, `getitem`: also of an operator that works in place."""
    schema = getattr(node.target, "_schema", None)
    name = schema.name.split("::")[-1] if schema is not None else getattr(node.target, "__name__", str(node.target))
    return name.strip("_")


def chains(prepared, floats):
    """Of every operator that is left: all that is computed with it at once, in order. `floats`: nodes kept in float."""
    found = {}
    for node in prepared.graph.nodes:
        if not computes(node):
            continue
        annotation = node.meta.get(_ANNOTATION)
        marked = annotation is not None and annotation._annotated and node.name not in floats
        before = [argument for argument in node.all_input_nodes if argument.name in found] if marked else []
        chain = next((found[argument.name] for argument in before if _goes_on(argument, found)), None)
        if chain is None:
            found[node.name] = Chain(node.name, marked and len(annotation.input_qspec_map) > 0)
        else:
            chain.nodes.append(node.name)
            found[node.name] = chain
    return found


def _goes_on(argument, found):
    # A value that is observed, or read by others too, is written before it is read.
    chain = found[argument.name]
    return chain.asked and chain.nodes[-1] == argument.name and len(argument.users) == 1


class Chain:
    """`asked`: whether the quantizer asked for integers as inputs."""

    def __init__(self, node, asked):
        self.nodes = [node]
        self.asked = asked


def find_layers(noted, found, built):
    """The layers in the order of the graph, each with its `chain`. `noted`: before the fusion; `found`: the chains left."""
    main = {}
    for one in noted:
        if one.op not in _BESIDE:
            main.setdefault(one.call, []).append(one)
    layers, heads, calls = {}, {}, {}
    for one in noted:
        is_module = one.of_torch and main.get(one.call) == [one] or one.of_torch and one.op in MOVES and one.call not in main
        name, op, scope = _name_of(one, calls) if is_module else _name_in_scope(one)
        chain = found.get(one.node)
        head = heads.get(one.first) if chain is None else chain.nodes[0]
        if head is None:
            continue
        heads[one.node] = head
        if head == one.node:
            path = one.path if is_module else None
            layer = Layer(name, op, scope, head, source_of_frames(one.stack_trace, path, built), is_module)
            layer.chain = chain
            layers[head] = layer
        else:
            layers[head].fused.append(op)
            layers[head].parts.append(name)
    return list(layers.values())


def _name_of(one, calls):
    calls[one.path] = count = calls.get(one.path, 0) + 1
    # A module that is called again is another layer of the graph.
    name = one.path if count == 1 else f"{one.path}@{count}"
    return name, one.kind.rpartition(".")[2], one.path.rpartition(".")[0]


def _name_in_scope(one):
    return (f"{one.path}.{one.node}" if one.path else one.node), one.op, one.path


def without_unused(module):
    """A copy without the float weights that integers have taken the place of; convert_pt2e leaves them lying."""
    lean = copy.deepcopy(module)
    read = {node.target for node in lean.graph.nodes if node.op == "get_attr"}
    for path, owner in list(lean.named_modules()):
        for names in (owner._parameters, owner._buffers):
            for name in [name for name in names if (f"{path}.{name}" if path else name) not in read]:
                del names[name]
    return lean
