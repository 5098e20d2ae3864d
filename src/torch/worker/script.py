"""What the scripts of all modes have in common that make the same int8 model without Quantscope: model and samples."""

import ast
import inspect
import os

import loaders
import loading

_HEAD = '''"""Makes {target} from {model} with {means} alone: {steps}.

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
{constants}

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

def head_text(facts, target, steps, means, imports, constants=""):
    """The script up to the model. `steps`: what is done; `means`: with which packages; `constants`: lines."""
    text = _HEAD.format(
        name="reproduce.py",
        target=target,
        model=facts["model"],
        steps=steps,
        means=means,
        imports=imports,
        base=os.path.relpath(facts["base"], facts["folder"]),
        constants=constants,
        load=_load(facts),
    )
    return text + (function_text(loading.weights_in) if facts["weights"] is not None else "")


def import_of(reference, then):
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
        text = import_of(model, "    model = {}()")
    else:
        text = (_TORCHSCRIPT if facts["is_script"] else _PICKLE).format(file=model)
    if weights is not None:
        text += _WEIGHTS.format(file=weights)
    for twin_path, code in facts["twins"].items():
        parent, _, name = twin_path.rpartition(".")
        text += f"\n    setattr(model.get_submodule({parent!r}), {name!r}, {code})"
    return text + "\n    return model"


def samples_text(facts):
    if facts["kind"] == "images" and len(facts["data"]) == 1:
        return _IMAGES.format(preprocess=facts["preprocess"], ids=facts["ids"], folder=facts["data"][0])
    if facts["kind"] == "loader":
        load = import_of(facts["data"][0], "    return {}")
        return source_text(loaders) + _LOADER.format(load=load, ranks=facts["ranks"], limit=len(facts["ids"]))
    if facts["kind"] == "npy":
        return _ARRAYS.format(files=facts["data"])
    return _OTHER.format(message=f"yield the calibration samples of {', '.join(map(str, facts['data']))}")


def function_text(thing):
    return inspect.getsource(thing) + "\n\n"


def source_text(module):
    """What stands below the imports of a module."""
    source = inspect.getsource(module)
    last = [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))][-1]
    return "\n".join(source.split("\n")[last.end_lineno :]).strip() + "\n\n\n"
