"""The int8 model as ONNX with QuantizeLinear and DequantizeLinear, where torch's exporter knows its operators."""

import inspect

import torch

from failures import describe

# The newest that torch 1.13 writes; QDQ needs 13.
OPSET = 17


def export_onnx(module, example, inputs, path):
    """Writes `path`. Returns what hindered it, or None. Dimensions that have a name stay open."""
    open_axes = {
        entry["name"]: {axis: size for axis, size in enumerate(entry["shape"]) if isinstance(size, str)} for entry in inputs
    }
    # The exporter of torch 2 that is built on torch.export takes no quantized tensors.
    classic = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    try:
        with torch.no_grad():
            torch.onnx.export(
                module,
                tuple(example),
                path,
                opset_version=OPSET,
                input_names=[entry["name"] for entry in inputs],
                output_names=["output"],
                dynamic_axes={name: axes for name, axes in open_axes.items() if axes},
                **classic,
            )
    except Exception as error:
        return describe(error).split("\n")[0]
    return None
