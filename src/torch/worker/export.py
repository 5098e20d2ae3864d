"""A model as ONNX, where torch's exporter knows its operators; the int8 one with QuantizeLinear and DequantizeLinear."""

import inspect
import os
import sys
import warnings

import torch

from failures import describe

# The newest that torch 1.13 writes; QDQ needs 13.
OPSET = 17


def export_onnx(module, example, inputs, path):
    """Writes `path`. Returns what hindered it, or None. Dimensions that have a name stay open."""
    try:
        _write(module, example, inputs, path)
    except Exception as error:
        return describe(error).split("\n")[0]
    return None


def export_float(module, example, inputs, path):
    """The same of the float model, with the package that torch's exporter lacks, and what the trace fixed for good."""
    problem, missing = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", torch.jit.TracerWarning)
        try:
            _write(module, example, inputs, path)
        except Exception as error:
            problem = describe(error).split("\n")[0]
            cause = error.__cause__ or error
            missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
    fixed = []
    for warning in caught:
        if not issubclass(warning.category, torch.jit.TracerWarning):
            sys.stderr.write(warnings.formatwarning(warning.message, warning.category, warning.filename, warning.lineno))
            continue
        # The exporter traces more than once.
        known = _fixed_by(warning)
        if known not in fixed and not _is_of_torch(warning.filename):
            fixed.append(known)
    return {"problem": problem, "missing": missing, "fixed": fixed}


def _fixed_by(warning):
    # What a condition asks for is a boolean; anything else that leaves the trace is a value.
    kind = "branch" if "Python boolean" in str(warning.message) else "value"
    return {"kind": kind, "file": warning.filename, "line": warning.lineno}


def _is_of_torch(file):
    """Torch's own modules know what they do."""
    return os.path.abspath(file).startswith(os.path.dirname(torch.__file__) + os.sep)


def _write(module, example, inputs, path):
    open_axes = {
        entry["name"]: {axis: size for axis, size in enumerate(entry["shape"]) if isinstance(size, str)} for entry in inputs
    }
    # The exporter of torch 2 that is built on torch.export takes no quantized tensors.
    classic = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
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
