"""What the layers of a traced model are called: the paths of modules, and for functions their scope and node name."""

import linecache
import re

import torch
from torch import fx, nn

from failures import is_user_file

MOVES = {
    *("view", "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "contiguous", "getitem", "chunk"),
    *("split", "expand", "repeat", "Flatten", "Identity", "Dropout", "Dropout2d", "dropout", "stack", "cat", "clone"),
    *("Unflatten", "unbind", "narrow", "select", "t", "T", "detach", "to", "float"),
}


class Layer:
    """One node of the fused graph. `nodes`: names in the graph of all that is fused into it, the main one first."""

    def __init__(self, name, op, scope, node, source, is_module):
        self.name = name
        self.is_module = is_module
        self.op = op
        self.scope = scope
        self.node = node
        self.fused = []
        self.parts = [name]
        self.source = source


def find_layers(traced, scopes, kept, built):
    """The layers in the order of the graph. `kept`: names of the nodes that survive fusion, as `prepare_fx` left them."""
    layers, by_node, calls = [], {}, {}
    for node in traced.graph.nodes:
        if node.op in ("placeholder", "output", "get_attr"):
            continue
        name, op = _name_of(node, traced, scopes, calls)
        if node.name in kept:
            layer = Layer(name, op, _scope_of(node, name, scopes), node.name, _source_of(node, built), node.op == "call_module")
            layers.append(layer)
            by_node[node.name] = layer
        else:
            main = by_node.get(node.args[0].name) if node.args and isinstance(node.args[0], fx.Node) else None
            if main is not None:
                main.fused.append(op)
                main.parts.append(name)
                by_node[node.name] = main
    return layers


def _name_of(node, traced, scopes, calls):
    if node.op == "call_module":
        calls[node.target] = count = calls.get(node.target, 0) + 1
        op = type(traced.get_submodule(node.target)).__name__
        # A module that is called again is another layer of the graph.
        return (node.target if count == 1 else f"{node.target}@{count}"), op
    scope = scopes.get(node.name, "")
    return (f"{scope}.{node.name}" if scope else node.name), op_name(node.target)


def op_name(target):
    """`add`, `relu`, `view`: of a function, an operator of torch, or a method."""
    if isinstance(target, str):
        return target
    name = getattr(target, "__name__", None) or str(target)
    return re.sub(r"^_+", "", name.split(".")[-1])


def _scope_of(node, name, scopes):
    path = name.rsplit(".", 1)[0] if node.op == "call_module" and "." in name else scopes.get(node.name, "")
    return "" if node.op == "call_module" and "." not in name else path


# Where FX mode traces from.
_OWN = ("prepare.py", "__main__.py", "runpy.py")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def _source_of(node, built):
    return source_of_frames(node.stack_trace, node.target if node.op == "call_module" else None, built)


def source_of_frames(stack_trace, path, built):
    """Where the user's code calls the layer, and where it builds the module at `path`. `stack_trace`: as FX records it."""
    frames = [(file, int(line)) for file, line in _FRAME.findall(stack_trace or "")]
    # Old versions of torch list the innermost frame first, down to ours; new ones end with the innermost.
    if frames and frames[-1][0].endswith(_OWN):
        frames.reverse()
    called = [{"file": file, "line": line} for file, line in frames if is_user_file(file)]
    source = {}
    if called:
        source["called"] = called[-1]
    if path in built:
        source["built"] = built[path]
    return source or None


def with_text(source):
    """The places of a layer with the text of their lines, as it was when Python read the file."""
    if source is None:
        return None
    lines = {kind: linecache.getline(place["file"], place["line"]).strip() for kind, place in source.items()}
    return {kind: {**place, "text": lines[kind]} for kind, place in source.items()}


class KeepFloat(nn.Module):
    """Passes its input on. Between two operators it hides them from the rewriting that would run both in int8."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


# Their quantized form needs a weight observer, so without a qconfig they do stay float; hiding their output would only
# keep BatchNorm and ReLU from being fused into them.
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def hide_from_lowering(traced, nodes):
    """Shuts the named nodes off from their users by :class:`KeepFloat`.

    `convert_fx` replaces dequantize -> operator -> quantize by a quantized operator wherever it finds that, also where
    no qconfig asked for it. An identity between operator and quantize breaks the pattern.
    """
    hidden = 0
    for node in list(traced.graph.nodes):
        if node.name not in nodes or node.op not in ("call_module", "call_function", "call_method"):
            continue
        if node.op == "call_module" and isinstance(traced.get_submodule(node.target), _WEIGHTED):
            continue
        path = f"keep_float_{hidden}"
        hidden += 1
        traced.add_submodule(path, KeepFloat())
        with traced.graph.inserting_after(node):
            gate = traced.graph.call_module(path, (node,))
        node.replace_all_uses_with(gate, delete_user_cb=lambda user, gate=gate: user is not gate)
    traced.recompile()

