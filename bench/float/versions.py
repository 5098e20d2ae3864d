"""Holds the models that main.ts wrote against one version of onnxruntime; prints one line of JSON."""

import json
import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort

LEVEL = ort.GraphOptimizationLevel
ort.set_default_logger_severity(4)


def run(path, level, feeds, optimized=None):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    if optimized is not None:
        options.optimized_model_filepath = optimized
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def changed(optimized, layers):
    """Layers that became int8 kernels, or read a constant through a DequantizeLinear."""
    constants = {tensor.name for tensor in optimized.graph.initializer}
    makers = {name: node for node in optimized.graph.node for name in node.output}
    found = []
    for node in optimized.graph.node:
        if node.name not in layers or node.op_type in ("MaxPool", "Transpose", "Reshape"):
            continue
        through = [makers[name] for name in node.input[1:] if name in makers]
        rounded = any(m.op_type == "DequantizeLinear" and m.input[0] in constants for m in through)
        if rounded or node.op_type.startswith("Q") or "Integer" in node.op_type:
            found.append(node.name)
    return found


def decibels(reference, approximation):
    error = float(np.sum((reference.astype(np.float64) - approximation) ** 2))
    return 999.0 if error == 0 else 10 * float(np.log10(np.sum(reference.astype(np.float64) ** 2) / error))


result = {"version": ort.__version__, "models": []}
for manifest in json.load(open(os.path.join(sys.argv[1], "manifest.json"))):
    path = os.path.join(sys.argv[1], manifest["file"])
    feeds = {"x": np.asarray(manifest["x"], np.float32).reshape(manifest["dims"])}
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "optimized.onnx")
        wanted = run(path, LEVEL.ORT_DISABLE_ALL, feeds)
        run(path, LEVEL.ORT_ENABLE_EXTENDED, feeds, target)
        taken = changed(onnx.load(target), set(manifest["excluded"]))
    worst = min(
        decibels(wanted[name], made)
        for level in (LEVEL.ORT_ENABLE_BASIC, LEVEL.ORT_ENABLE_EXTENDED, LEVEL.ORT_ENABLE_ALL)
        for name, made in run(path, level, feeds).items()
    )
    result["models"].append(
        {"title": manifest["title"], "layers": len(manifest["excluded"]), "taken": len(taken), "worst": worst}
    )
print(json.dumps(result))
