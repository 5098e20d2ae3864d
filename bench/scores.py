"""scores.py PEER MODEL REFERENCE IMAGES PREPROCESS: how far a classifier's scores are from those of its fp32 model.

Prints JSON: the SQNR in dB over all images, 10·log10(Σ s² / Σ (s − s')²), of scores s less their mean over the
classes, which a softmax does not see. Where the model ends in a softmax the scores are what that reads.
Unlike a share of images that agree, it does not hang on the few images whose two best classes are nearly equal.
"""

import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import onnx

peer_file, model, reference, images, preprocess = sys.argv[1:]
spec = importlib.util.spec_from_file_location("peer", peer_file)
peer = importlib.util.module_from_spec(spec)
sys.modules["peer"] = peer
spec.loader.exec_module(peer)


def open_scores(file):
    """The session of a model and the name of its scores, made an output where they are none."""
    proto = onnx.load(file)
    softmax = [node for node in proto.graph.node if node.op_type == "Softmax"]
    name = softmax[-1].input[0] if softmax else proto.graph.output[0].name
    if softmax:
        proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return peer.ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"]), name


def scores(opened, feeds):
    session, name = opened
    values = session.run([name], feeds)[0].ravel().astype(np.float64)
    return values - values.mean()


models = [open_scores(file) for file in (reference, model)]
chosen = SimpleNamespace(
    preprocess=peer.Preprocess.parse(preprocess), npy_dir=None, images=images, parity="all", count=None, pick="spread"
)
samples = peer.Samples(chosen, models[0][0].get_inputs())
signal = noise = 0.0
for image in samples.names:
    exact, quantized = (scores(opened, samples.load(image)) for opened in models)
    signal += float(exact @ exact)
    noise += float((exact - quantized) @ (exact - quantized))
print(json.dumps({"scores_sqnr": 10 * np.log10(signal / noise) if noise > 0 else None}))
