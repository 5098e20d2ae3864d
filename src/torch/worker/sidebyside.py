"""Runs an observed graph of torch.export in float beside the converted one, and keeps only sums of squares.

The activations of one sample are held at a time.
"""

import time

import torch
from torch import fx

from errors import ErrorSums
from patterns import DEQUANTIZE, QUANTIZE, attribute, data_of, is_observer, source_of, weight_of
from tensors import as_float, copied, tensors_in


class Part:
    """What one layer is in the converted graph. `end`: its last operator; `shown`: the node with the values that others
    read, which is behind quantize and dequantize where those follow; `rounds`: whether its inputs and weights are integers."""

    def __init__(self, layer, nodes, converted):
        self.layer = layer
        self.chain = [nodes[name] for name in layer.chain.nodes]
        self.end = self.chain[-1]
        data, weight = data_of(self.chain[0], converted), weight_of(self.chain[0], converted)
        dequantized = all(argument.target in DEQUANTIZE for argument in data)
        self.rounds = (
            layer.chain.asked
            and len(data) > 0
            and dequantized
            and (weight is None or self.chain[0].args[1].target in DEQUANTIZE)
        )
        self.written = _written(self.end) if self.rounds else None
        self.shown = self.end if self.written is None else next(iter(self.written.users))


def _written(node):
    """The quantize behind a node, where nothing reads the node but this."""
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].target in QUANTIZE and len(users[0].users) > 0 else None


class SideBySide:
    """Errors of every layer of a prepared (observed, calibrated) and a converted graph."""

    def __init__(self, prepared, converted, layers):
        self.prepared = prepared
        self.converted = converted
        nodes = {node.name: node for node in converted.graph.nodes}
        self.parts = [Part(layer, nodes, converted) for layer in layers]
        self._shown = {part.shown: part for part in self.parts}
        self.accumulated = {part: ErrorSums() for part in self.parts}
        self.local = {part: ErrorSums() for part in self.parts}
        self.outputs = {}

    def add(self, sample, inputs):
        with torch.no_grad():
            reference = _Reference(self.prepared, self.parts)
            expected = reference.run(*copied(inputs))

            def compare(node, value):
                part = self._shown.get(node)
                if part is not None:
                    self._compare(sample, part, reference, value)

            found = _Watched(self.converted, compare).run(*copied(inputs))
            for index, (wanted, value) in enumerate(zip(tensors_in(expected), tensors_in(found))):
                x, y = as_float(wanted), as_float(value)
                if x is not None and y is not None:
                    self.outputs.setdefault(index, ErrorSums()).add(sample, x, y)

    def _compare(self, sample, part, reference, value):
        x, y = as_float(reference.gave[part]), as_float(value)
        if x is None or y is None:
            return
        self.accumulated[part].add(sample, x, y)
        if part.rounds:
            self.local[part].add(sample, x, as_float(self._alone(part, reference.given[part])))

    def _alone(self, part, given):
        """The converted layer fed with the float model's values, which it rounds as it rounds its own."""
        known = {}

        def value(node):
            if node not in known:
                known[node] = computed(node)
            return known[node]

        def computed(node):
            if node.name in given:
                return given[node.name]
            if node.op == "get_attr":
                return attribute(node, self.converted)
            return node.target(*fx.map_arg(node.args, value), **fx.map_arg(node.kwargs, value))

        return value(part.shown)


class _Plain(fx.Interpreter):
    """Observers pass on what they are given and see nothing of it."""

    def run_node(self, node):
        return self.env[node.args[0]] if is_observer(node, self.module) else super().run_node(node)


class _Reference(_Plain):
    """The float model. `given`: of every layer, what its operators were given, by the node that computed it; `gave`: what
    it gave. Copies, since an operator in place may write over both as soon as the model goes on."""

    def __init__(self, module, parts):
        super().__init__(module)
        self._parts = {node.name: part for part in parts for node in part.chain}
        self.given = {part: {} for part in parts}
        self.gave = {}

    def run_node(self, node):
        part = self._parts.get(node.name)
        if part is None:
            return super().run_node(node)
        own = {one.name for one in part.chain}
        if part.rounds:
            for argument in node.all_input_nodes:
                source = source_of(argument, self.module)
                if source.op != "get_attr" and source.name not in own:
                    self.given[part][source.name] = copied(self.env[argument])
        value = super().run_node(node)
        if node.name == part.end.name:
            self.gave[part] = copied(value)
        return value


class _Watched(fx.Interpreter):
    def __init__(self, module, watch):
        super().__init__(module)
        self._watch = watch

    def run_node(self, node):
        value = super().run_node(node)
        self._watch(node, value)
        return value


def time_nodes(module, inputs, runs):
    """Microseconds of every operator, the median of several runs."""
    times = {}

    class Timed(_Plain):
        def run_node(self, node):
            start = time.perf_counter()
            value = super().run_node(node)
            times.setdefault(node, []).append((time.perf_counter() - start) * 1e6)
            return value

    with torch.no_grad():
        for _ in range(runs):
            Timed(module).run(*copied(inputs))
    return {node: sorted(values)[len(values) // 2] for node, values in times.items() if node.op == "call_function"}
