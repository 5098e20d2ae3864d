"""Writes the script that makes the same int8 model with torch alone."""

import ast
import inspect
import os

import torch

import compare
import eager
import layers
import loaders
import loading
import observers
import qconfigs
import training as distillation

_HEAD = '''"""Makes {target} from {model} with torch alone: {steps}, TorchScript.

Usage: python {name} [OUTPUT]
"""

import copy
import importlib
import importlib.util
import math
import os
import sys

import torch
{imports}
BASE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), {base!r}))
BACKEND = {backend!r}


def load_model():
{load}


'''

_PICKLE = '''    sys.path.insert(0, BASE)
    model = torch.load(os.path.join(BASE, {file!r}), map_location="cpu", weights_only=False)'''
_TORCHSCRIPT = '''    model = torch.jit.load(os.path.join(BASE, {file!r}), map_location="cpu")'''
_WEIGHTS = '''
    state = torch.load(os.path.join(BASE, {file!r}), map_location="cpu", weights_only=True)
    model.load_state_dict(weights_in(state))'''

_IMAGES = '''def samples():
    """The calibration images as the recipe preprocesses them, in the same order."""
    import numpy as np
    from PIL import Image

    p = {preprocess!r}
    for name in {ids!r}:
        image = Image.open(os.path.join(BASE, {folder!r}, name)).convert("L" if p["channels"] == 1 else "RGB")
        resize, crop = p["resize"], p["crop"]
        if resize is not None:
            if resize["mode"] == "shorter-side":
                factor = resize["size"] / min(image.size)
                size = [round(side * factor) for side in image.size]
            else:
                size = [resize["width"], resize["height"]]
            if list(image.size) != size:
                image = image.resize(size, Image.BILINEAR)
        if crop is not None:
            left, top = (image.width - crop["width"]) // 2, (image.height - crop["height"]) // 2
            image = image.crop((left, top, left + crop["width"], top + crop["height"]))
        pixels = np.asarray(image, dtype=np.float64).reshape(image.height, image.width, p["channels"])
        pixels = pixels[..., ::-1] if p["color"] == "bgr" else pixels
        values = ((pixels * p["scale"] - np.array(p["mean"])) / np.array(p["std"])).astype(np.float32)
        values = values.transpose(2, 0, 1) if p["layout"] == "NCHW" else values
        yield [torch.from_numpy(np.ascontiguousarray(values))[None]]


'''

_ARRAYS = '''def samples():
    """The calibration data: lists of input tensors, in the order of the model's inputs."""
    import numpy as np

    for file in {files!r}:
        for row in np.load(os.path.join(BASE, file)):
            yield [torch.from_numpy(row[None])]


'''

_LOADER = '''def load_loader():
{load}


def samples():
    """The calibration data: lists of input tensors, in the order of the model's inputs."""
    for inputs, _ in loader_rows(load_loader(), {ranks!r}, {limit}):
        yield inputs


'''

_OTHER = '''def samples():
    """The calibration data: lists of input tensors, in the order of the model's inputs."""
    raise NotImplementedError({message!r})


'''

_MAIN = '''def main():
    torch.manual_seed(0)
    torch.set_num_threads({threads})
    torch.backends.quantized.engine = {engine!r}
    model = load_model().eval()
    example = tuple(next(iter(samples())))
{prepare}{calibrate}{train}    quantized = {convert}.eval()
    torch.jit.save(torch.jit.script(quantized), sys.argv[1] if len(sys.argv) > 1 else {target!r})


if __name__ == "__main__":
    main()
'''

_PREPARE_FX = '''    mapping = {mapping}
    custom = PrepareCustomConfig().set_non_traceable_module_names({leaves!r})
{changes}    prepared = {function}(module, mapping, example, prepare_custom_config=custom).eval()
'''

_CALIBRATE = '''    with torch.no_grad():
        for inputs in samples():
            prepared(*inputs)
'''

_TRAIN = '''    prepared = load_train()(prepared.train()) or prepared
    prepared.eval()
'''

_DISTIL = '''    torch.manual_seed(0)
    Distillation(prepared, model, {rate}, {epochs}).train(lambda: ((None, inputs) for inputs in samples()))
'''

_LOAD_TRAIN = '''def load_train():
{load}


'''


def script_text(options, changes, facts):
    mode, backend = options["mode"], options["backend"]
    settings = {k: v for k, v in options["settings"].items() if v is not None}
    special = bool(settings) or mode in ("dynamic", "eager", "torchscript") or any(own for _, own in changes.modules + changes.functions)
    name, training = facts["name"], facts["training"]
    distils = mode == "qat" and training["train"] is None
    parts = [
        _HEAD.format(
            name="reproduce.py",
            target=f"{name}.int8.pt",
            model=facts["model"],
            steps=_STEPS[mode],
            imports=_imports(mode, special, changes.hidden),
            base=os.path.relpath(facts["base"], facts["folder"]),
            backend=backend,
            load=_load(facts),
        )
    ]
    if facts["weights"] is not None:
        parts.append(_function(loading.weights_in))
    if special:
        parts += [_source(observers), _source(qconfigs)]
    if changes.hidden:
        parts += [_function(layers.KeepFloat), f"_WEIGHTED = {_weighted()}\n\n\n", _function(layers.hide_from_lowering)]
    if mode == "eager":
        parts += [_function(eager.FloatIsland)] if changes.islands else []
        parts += [_function(eager.observed_eager)]
    if distils:
        parts += [_function(compare.copied), _function(compare.first_tensor), _source(distillation)]
    elif mode == "qat":
        parts += [_LOAD_TRAIN.format(load=_import_of(training["train"], "    return {}"))]
    parts.append(_samples(facts))
    parts.append(
        _MAIN.format(
            threads=facts["threads"],
            engine=options.get("engine") or backend,
            prepare=_prepare(mode, options, changes, settings, special),
            calibrate="" if mode == "dynamic" else _CALIBRATE + ("    settle(prepared)\n" if mode == "qat" and special else ""),
            train=_train(training, distils) if mode == "qat" else "",
            convert=f"{_CONVERT.get(mode, 'convert_fx')}(prepared)",
            target=f"{name}.int8.pt",
        )
    )
    return "".join(parts)


_CONVERT = {"eager": "convert", "torchscript": "convert_jit"}
_STEPS = {
    "torchscript": "prepare_jit, calibration, convert_jit",
    "static": "prepare_fx, calibration, convert_fx",
    "dynamic": "prepare_fx, convert_fx",
    "eager": "its own stubs, prepare, calibration, convert",
    "qat": "prepare_qat_fx, calibration, training, convert_fx",
}


def _prepare(mode, options, changes, settings, special):
    if mode == "torchscript":
        return f"    prepared = prepare_jit(model, {{'': global_mapping(BACKEND, {settings!r}).global_qconfig}})\n"
    if mode == "eager":
        own = ", ".join(f"{path!r}: {_qconfig(one, options)}" for path, one in changes.modules)
        qconfig = f"global_mapping(BACKEND, {settings!r}).global_qconfig"
        return f"    prepared = observed_eager(copy.deepcopy(model), {qconfig}, {{{own}}}, {changes.islands!r})\n"
    default = "get_default_qat_qconfig_mapping(BACKEND)" if mode == "qat" else "get_default_qconfig_mapping(BACKEND)"
    known = f"global_mapping(BACKEND, {settings!r}{', True' if mode == 'qat' else ''})"
    mapping = f"dynamic_mapping({settings!r})" if mode == "dynamic" else known if special else default
    function = "prepare_qat_fx" if mode == "qat" else "prepare_fx"
    leaves = list(options.get("leaves", []))
    return _PREPARE_FX.format(
        mapping=mapping, leaves=leaves, changes=_changes(changes, options), function=function
    )


def _train(training, distils):
    return _DISTIL.format(rate=training["rate"], epochs=training["epochs"]) if distils else _TRAIN


def _imports(mode, special, hidden):
    lines = []
    if hidden or special:
        lines += ["from torch import fx, nn"]
    names = ["get_default_qat_qconfig_mapping" if mode == "qat" else "get_default_qconfig_mapping"]
    if special:
        names = sorted(_QUANTIZATION)
    if mode == "eager":
        names = sorted({*names, "DeQuantStub", "QuantStub", "convert", "prepare"})
        lines += ["import inspect"]
    lines += [f"from torch.ao.quantization import {', '.join(names)}"]
    if mode == "torchscript":
        lines += ["from torch.ao.quantization.quantize_jit import convert_jit, prepare_jit"]
    elif mode != "eager":
        prepare = "prepare_qat_fx" if mode == "qat" else "prepare_fx"
        tracer = "QuantizationTracer, " if hidden else ""
        lines += ["from torch.ao.quantization.fx.custom_config import PrepareCustomConfig"]
        lines += [f"from torch.ao.quantization.quantize_fx import {tracer}convert_fx, {prepare}"]
    if special:
        lines += ["", "Failure = ValueError"]
    return "\n".join(lines) + "\n"


# What observers.py and qconfigs.py import of torch.ao.quantization.
_QUANTIZATION = {
    name
    for module in (observers, qconfigs)
    for name, value in vars(module).items()
    if hasattr(torch.ao.quantization, name) and getattr(torch.ao.quantization, name) is value
}


def _import_of(reference, then):
    source, _, name = reference.rpartition(":")
    if source.endswith(".py"):
        module = os.path.splitext(os.path.basename(source))[0]
        before = f"    sys.path.insert(0, os.path.dirname(os.path.join(BASE, {source!r})))\n"
    else:
        module, before = source, "    sys.path.insert(0, BASE)\n"
    return before + then.format(f"importlib.import_module({module!r}).{name}")


def _load(facts):
    model, weights = facts["model"], facts["weights"]
    if model.rpartition(":")[0]:
        text = _import_of(model, "    model = {}()")
    else:
        text = (_TORCHSCRIPT if facts["is_script"] else _PICKLE).format(file=model)
    if weights is not None:
        text += _WEIGHTS.format(file=weights)
    return text + "\n    return model"


def _samples(facts):
    if facts["kind"] == "images" and len(facts["data"]) == 1:
        return _IMAGES.format(preprocess=facts["preprocess"], ids=facts["ids"], folder=facts["data"][0])
    if facts["kind"] == "loader":
        load = _import_of(facts["data"][0], "    return {}")
        return _source(loaders) + _LOADER.format(load=load, ranks=facts["ranks"], limit=len(facts["ids"]))
    if facts["kind"] == "npy":
        return _ARRAYS.format(files=facts["data"])
    return _OTHER.format(message=f"yield the calibration samples of {', '.join(map(str, facts['data']))}")


def _changes(changes, options):
    lines = []
    if changes.hidden:
        leaves = list(options.get("leaves", []))
        lines += [
            "custom.set_non_traceable_module_classes([KeepFloat])",
            f"tracer = QuantizationTracer({leaves!r}, [])",
            "module = fx.GraphModule(model, tracer.trace(model))",
            f"hide_from_lowering(module, {sorted(changes.hidden)!r})",
        ]
    else:
        lines += ["module = copy.deepcopy(model)"]
    for path, own in changes.modules:
        lines.append(f"mapping.set_module_name({path!r}, {_qconfig(own, options)})")
    for (scope, target, index), own in changes.functions:
        call = f"{scope!r}, {_reference(target)}, {index}, {_qconfig(own, options)}"
        lines.append(f"mapping.set_module_name_object_type_order({call})")
    return "".join(f"    {line}\n" for line in lines)


def _qconfig(own, options):
    if own is None:
        return "None"
    qat = options["mode"] == "qat"
    return f"changed(global_mapping(BACKEND, {{}}, {qat}).global_qconfig, {own!r}, BACKEND, {qat})"


def _reference(target):
    """An expression that means a function, imported where it is used."""
    module, name = getattr(target, "__module__", None), getattr(target, "__name__", str(target))
    for path, owner in (("torch", torch), ("torch.nn.functional", torch.nn.functional)):
        if getattr(owner, name, None) is target:
            return f"{path}.{name}"
    module = {"_operator": "operator"}.get(module, module)
    return f'getattr(importlib.import_module({module!r}), {name!r})'


def _function(thing):
    return inspect.getsource(thing) + "\n\n"


def _weighted():
    return "(" + ", ".join(f"nn.{kind.__name__}" for kind in layers._WEIGHTED) + ")"


def _source(module):
    """What stands below the imports of a module."""
    source = inspect.getsource(module)
    last = [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))][-1]
    return "\n".join(source.split("\n")[last.end_lineno :]).strip() + "\n\n\n"
