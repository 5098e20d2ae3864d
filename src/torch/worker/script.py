"""Writes the script that makes the same int8 model with torch alone."""

import inspect
import os

import layers
import observers
import qconfigs

_HEAD = '''"""Makes {target} from {model} with torch alone: prepare_fx, calibration, convert_fx, TorchScript.

Usage: python {name} [OUTPUT]
"""

import copy
import importlib
import importlib.util
import os
import sys

import torch
{imports}
BASE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), {base!r}))
BACKEND = {backend!r}


def load_model():
{load}


'''

_FACTORY_FILE = '''    sys.path.insert(0, os.path.dirname(os.path.join(BASE, {file!r})))
    model = importlib.import_module({module!r}).{factory}()'''
_FACTORY_MODULE = '''    sys.path.insert(0, BASE)
    model = importlib.import_module({module!r}).{factory}()'''
_PICKLE = '''    sys.path.insert(0, BASE)
    model = torch.load(os.path.join(BASE, {file!r}), map_location="cpu", weights_only=False)'''
_WEIGHTS = '''
    model.load_state_dict(torch.load(os.path.join(BASE, {file!r}), map_location="cpu", weights_only=True))'''

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

_OTHER = '''def samples():
    """The calibration data: lists of input tensors, in the order of the model's inputs."""
    raise NotImplementedError({message!r})


'''

_MAIN = '''def main():
    torch.backends.quantized.engine = {engine!r}
    model = load_model().eval()
    example = tuple(next(iter(samples())))
    mapping = {mapping}
    custom = PrepareCustomConfig().set_non_traceable_module_names({leaves!r})
{changes}    prepared = prepare_fx(module, mapping, example, prepare_custom_config=custom)
    with torch.no_grad():
        for inputs in samples():
            prepared(*inputs)
    quantized = convert_fx(prepared).eval()
    torch.jit.save(torch.jit.script(quantized), sys.argv[1] if len(sys.argv) > 1 else {target!r})


if __name__ == "__main__":
    main()
'''


def script_text(options, changes, facts, _example):
    backend, settings = options["backend"], {k: v for k, v in options["settings"].items() if v is not None}
    special = bool(settings) or any(own is not None for _, own in changes.modules + changes.functions)
    name = facts["name"]
    parts = [
        _HEAD.format(
            name="reproduce.py",
            target=f"{name}.int8.pt",
            model=facts["model"],
            imports=_imports(special, changes.hidden),
            base=os.path.relpath(facts["base"], facts["folder"]),
            backend=backend,
            load=_load(facts),
        )
    ]
    if special:
        parts += [_source(observers), _source(qconfigs)]
    if changes.hidden:
        parts += [_function(layers.KeepFloat), f"_WEIGHTED = {_weighted()}\n\n\n", _function(layers.hide_from_lowering)]
    parts.append(_samples(facts))
    parts.append(
        _MAIN.format(
            engine=options.get("engine") or backend,
            mapping=f"global_mapping(BACKEND, {settings!r})" if special else "get_default_qconfig_mapping(BACKEND)",
            leaves=list(options.get("leaves", [])),
            changes=_changes(changes, options, settings),
            target=f"{name}.int8.pt",
        )
    )
    return "".join(parts)


def _imports(special, hidden):
    lines = []
    if hidden:
        lines += ["from torch import fx, nn"]
    lines += ["from torch.ao.quantization import get_default_qconfig_mapping"]
    lines += ["from torch.ao.quantization.fx.custom_config import PrepareCustomConfig"]
    lines += ["from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx"]
    if hidden:
        lines += ["from torch.ao.quantization.quantize_fx import QuantizationTracer"]
    if special:
        lines += [
            "from torch.ao.quantization import (",
            "    FakeQuantize,",
            "    HistogramObserver,",
            "    MinMaxObserver,",
            "    MovingAverageMinMaxObserver,",
            "    PerChannelMinMaxObserver,",
            "    QConfig,",
            "    get_default_qat_qconfig_mapping,",
            ")",
            "",
            "Failure = ValueError",
        ]
    return "\n".join(lines) + "\n"


def _load(facts):
    model, weights = facts["model"], facts["weights"]
    source, _, factory = model.rpartition(":")
    if source.endswith(".py"):
        module = os.path.splitext(os.path.basename(source))[0]
        text = _FACTORY_FILE.format(file=source, module=module, factory=factory)
    elif source:
        text = _FACTORY_MODULE.format(module=source, factory=factory)
    else:
        text = _PICKLE.format(file=model)
    if weights is not None:
        text += _WEIGHTS.format(file=weights)
    return text + "\n    return model"


def _samples(facts):
    if facts["kind"] == "images" and len(facts["data"]) == 1:
        return _IMAGES.format(preprocess=facts["preprocess"], ids=facts["ids"], folder=facts["data"][0])
    if facts["kind"] == "npy":
        return _ARRAYS.format(files=facts["data"])
    return _OTHER.format(message=f"yield the calibration samples of {', '.join(map(str, facts['data']))}")


def _changes(changes, options, settings):
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
    return f"changed(global_mapping(BACKEND, {{}}).global_qconfig, {own!r}, BACKEND, False)"


def _reference(target):
    """An expression that means a function, imported where it is used."""
    module, name = getattr(target, "__module__", None), getattr(target, "__name__", str(target))
    import torch

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
    """A module without its docstring and imports."""
    lines = inspect.getsource(module).split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(("class ", "def ", "REDUCES")) or line.startswith("# As"))
    return "\n".join(lines[start:]).rstrip() + "\n\n\n"
