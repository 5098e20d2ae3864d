"""Which node of the converted graph computes what which nodes of the prepared graph compute."""

import torch
from torch import fx, nn
from torch.ao.nn.quantized import DeQuantize, Quantize
from torch.ao.quantization import DeQuantStub, FakeQuantizeBase, ObserverBase, QuantStub

from layers import KeepFloat

_CONVERSIONS = (torch.quantize_per_tensor, torch.quantize_per_channel, torch.dequantize)
# Identity is also what eager mode leaves where a module was fused, or an observer was.
_PASSING = (KeepFloat, QuantStub, DeQuantStub, Quantize, DeQuantize, nn.Identity)
_RELU = (torch.relu, nn.functional.relu, torch.relu_, "relu", "relu_")


def is_observer(node, module):
    return node.op == "call_module" and isinstance(module.get_submodule(node.target), (ObserverBase, FakeQuantizeBase))


def passes_on(node, module):
    """Whether a node only observes, converts or hides: its value is that of its first argument."""
    if node.op == "call_function":
        return node.target in _CONVERSIONS
    if node.op == "call_method":
        return node.target == "dequantize"
    return node.op == "call_module" and (
        is_observer(node, module) or isinstance(module.get_submodule(node.target), _PASSING)
    )


def source_of(node, module):
    while passes_on(node, module):
        node = node.args[0]
    return node


def computes(node, module):
    return node.op in ("call_module", "call_function", "call_method") and not passes_on(node, module)


class Pair:
    """`chain`: the nodes of the prepared graph, in order, that `node` of the converted graph does at once."""

    def __init__(self, node, chain):
        self.node = node
        self.chain = chain

    @property
    def reference(self):
        return self.chain[-1]


def align(prepared, converted):
    """A pair for every computing node of the converted graph that has a counterpart, in the order of that graph."""
    ours = {node.name: node for node in prepared.graph.nodes}
    theirs = {node.name for node in converted.graph.nodes}
    # Converted value -> prepared value, sources only.
    same = {node: ours[node.name] for node in converted.graph.nodes if node.op == "placeholder"}
    pairs, taken = [], set()
    for node in converted.graph.nodes:
        if not computes(node, converted):
            continue
        start = ours.get(node.name)
        if start is None or not computes(start, prepared) or start in taken:
            start = _by_inputs(node, converted, prepared, same, taken, theirs)
        if start is None:
            continue
        chain = [start]
        while True:
            following = _only_user(chain[-1], prepared)
            if following is None or following.name in theirs or not _is_relu(following, prepared):
                break
            chain.append(following)
        taken.update(chain)
        same[node] = chain[-1]
        pairs.append(Pair(node, chain))
    return pairs, same


def _by_inputs(node, converted, prepared, same, taken, theirs):
    wanted = {same.get(source_of(argument, converted)) for argument in node.all_input_nodes} - {None}
    for candidate in prepared.graph.nodes:
        if candidate in taken or candidate.name in theirs or not computes(candidate, prepared):
            continue
        found = {source_of(argument, prepared) for argument in candidate.all_input_nodes}
        if {source for source in found if source.op != "get_attr"} == wanted:
            return candidate
    return None


def users_of(node, module):
    """The computing nodes that read a value, through observers and conversions."""
    found = []
    for user in node.users:
        found += users_of(user, module) if passes_on(user, module) else [user]
    return found


def _only_user(node, module):
    users = users_of(node, module)
    return users[0] if len(users) == 1 and users[0].op != "output" else None


def _is_relu(node, module):
    if node.op == "call_module":
        return isinstance(module.get_submodule(node.target), nn.ReLU)
    return node.target in _RELU


def observer_of(node, module):
    """The observer behind a value of the prepared graph, or None."""
    for user in node.users:
        if isinstance(user, fx.Node) and is_observer(user, module):
            return module.get_submodule(user.target)
    # Eager mode observes by a hook.
    return getattr(module.get_submodule(node.target), "activation_post_process", None) if node.op == "call_module" else None
