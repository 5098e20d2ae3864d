"""Loads what a recipe names: `file.py:factory`, `package.module:factory`, a pickled module, TorchScript; and weights."""

import importlib
import importlib.util
import inspect
import os
import pickle
import sys
import zipfile

import torch
from torch import nn

from failures import During, Failure, is_user_file


def load_object(reference, base, where):
    """The object that `file.py:name` or `package.module:name` means; files are relative to `base`."""
    source, _, name = reference.rpartition(":")
    if not source or not name.isidentifier():
        raise Failure("reference", f'"{reference}" is not `file.py:name` or `package.module:name`', where)
    with During(where, f"Importing {source}"):
        module = _import_file(source, base) if source.endswith(".py") else _import_module(source, base)
    try:
        return getattr(module, name)
    except AttributeError:
        names = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise Failure("reference", f'{source} has no "{name}"; it has {", ".join(names) or "nothing"}', where) from None


def _import_file(source, base):
    path = os.path.normpath(os.path.join(base, source))
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    folder, name = os.path.dirname(path), os.path.splitext(os.path.basename(path))[0]
    # As if Python had been started with this file: it may import what lies beside it.
    if folder not in sys.path:
        sys.path.insert(0, folder)
    known = sys.modules.get(name)
    if known is not None and os.path.abspath(getattr(known, "__file__", None) or "") == path:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Pickles and TorchScript look classes up by the name of their module.
    if known is None:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _import_module(name, base):
    if base not in sys.path:
        sys.path.insert(0, base)
    return importlib.import_module(name)


def is_torchscript(path):
    """TorchScript archives hold `constants.pkl` and code; pickles of `torch.save` hold `data.pkl` alone."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def is_exported(path):
    """Archives of `torch.export.save` say so in a file of their own."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/archive_format") and archive.read(name) == b"pt2" for name in archive.namelist())


def _load_exported(path):
    try:
        # Registers the operators of the graph.
        import torchao.quantization.pt2e.quantize_pt2e  # noqa: F401
    except ImportError as error:
        raise Failure("torchao", f"a graph of prepare_pt2e needs torchao: {error}", "model") from error
    with open(path, "rb") as file:
        return torch.export.load(file).module()


class Loaded:
    """`module` is in eval mode; `built` tells for each module path the line of the user's that constructed it."""

    def __init__(self, module, kind, files, built):
        self.module = module
        self.kind = kind
        self.files = files
        self.built = built


def load_model(model, weights, base):
    is_file = os.path.isfile(os.path.join(base, model)) or model.endswith((".pt", ".pth", ".pkl", ".pt2"))
    loaded = _load_file(model, base) if is_file else _load_factory(model, base)
    if weights is not None:
        path = os.path.join(base, weights)
        if loaded.kind == "torchscript":
            raise Failure("weights", "TorchScript holds its weights already", "torch.weights")
        _load_weights(loaded.module, path)
        loaded.files.append(path)
    # An exported program is in eval mode for good, and says so by raising.
    if loaded.kind != "exported":
        loaded.module.eval()
    return loaded


def _load_factory(model, base):
    factory = load_object(model, base, "model")
    lines = {}
    with During("model", f"{model}()"), _construction_lines(lines):
        module = factory()
    if not isinstance(module, nn.Module):
        raise Failure("not-a-module", f"{model} returned {type(module).__name__}, not a torch.nn.Module", "model")
    built = {path: lines[id(part)] for path, part in module.named_modules() if id(part) in lines}
    source = inspect.getsourcefile(factory)
    return Loaded(module, "module", [source] if source else [], built)


def _load_file(model, base):
    path = os.path.join(base, model)
    if not os.path.exists(path):
        raise Failure("not-found", f"there is no file {path}", "model")
    if is_exported(path):
        with During("model", f"Loading {model}"):
            return Loaded(_load_exported(path), "exported", [path], {})
    if is_torchscript(path):
        with During("model", f"Loading {model}"):
            return Loaded(torch.jit.load(path, map_location="cpu"), "torchscript", [path], {})
    # A pickle names its classes by module: those beside the file are found as Python would find them.
    if base not in sys.path:
        sys.path.insert(0, base)
    with During("model", f"Loading {model}"):
        try:
            module = torch.load(path, map_location="cpu", weights_only=False)
        except (AttributeError, ModuleNotFoundError, pickle.UnpicklingError) as error:
            raise Failure(
                "unpickle",
                f"{model} is a pickle whose classes cannot be imported here ({error}); "
                "name a factory, `file.py:factory`, and its state_dict as `torch.weights`",
                "model",
            ) from error
    if isinstance(module, dict):
        raise Failure(
            "state-dict",
            f"{model} holds a state_dict, not a module; name a factory as `model` and this file as `torch.weights`",
            "model",
        )
    if not isinstance(module, nn.Module):
        raise Failure("not-a-module", f"{model} holds {type(module).__name__}, not a torch.nn.Module", "model")
    return Loaded(module, "pickle", [path], {})


def _load_weights(module, path):
    if not os.path.exists(path):
        raise Failure("not-found", f"there is no file {path}", "torch.weights")
    with During("torch.weights", f"Loading {os.path.basename(path)}"):
        module.load_state_dict(weights_in(torch.load(path, map_location="cpu", weights_only=True)))


def weights_in(state):
    # Checkpoints of training loops keep the weights beside other things.
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    return {key[len("module.") :] if key.startswith("module.") else key: value for key, value in state.items()}


class _construction_lines:
    """Notes the line of the user's that constructs each module, while it is active. Keys are ids of living modules."""

    def __init__(self, lines):
        self._lines = lines

    def __enter__(self):
        self._original = original = nn.Module.__init__
        lines = self._lines

        def noting(module, *args, **kwargs):
            place = _constructor_of(module)
            if place is not None:
                lines[id(module)] = place
            original(module, *args, **kwargs)

        nn.Module.__init__ = noting

    def __exit__(self, *_):
        nn.Module.__init__ = self._original


def _constructor_of(module):
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        # The constructors of the module's own classes are not where it is built.
        constructs = code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is module
        if not constructs and is_user_file(code.co_filename):
            return {"file": os.path.abspath(code.co_filename), "line": frame.f_lineno}
        frame = frame.f_back
    return None


_TYPES = {torch.float32: "float32", torch.int64: "int64"}


def guess_inputs(loaded, shapes):
    """Name, type and shape of each input. `shapes`: what the recipe says, by name or in order, or None."""
    names = _parameter_names(loaded.module)
    if shapes is not None:
        given = shapes if isinstance(shapes, dict) else dict(zip(names or [f"input{i}" for i in range(len(shapes))], shapes))
        kind = _first_input(loaded.module)[0]
        return [{"name": name, "type": kind, "shape": shape} for name, shape in given.items()]
    if len(names) > 1:
        raise Failure("inputs", f"the model takes {', '.join(names)}; give their shapes", "torch.inputs")
    kind, shape = _first_input(loaded.module)
    if shape is None:
        raise Failure("inputs", "the shape of what the model takes cannot be read off it; give it", "torch.inputs")
    return [{"name": names[0] if names else "input", "type": kind, "shape": shape}]


def _parameter_names(module):
    if isinstance(module, torch.jit.ScriptModule):
        return [argument.name.split(".")[0] for argument in module.forward.schema.arguments[1:]]
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty]


def _first_input(module):
    """What the first layer with weights takes, the batch and what else is open as names; None for an unknown shape."""
    for name, weight in module.named_parameters():
        owner = module
        for part in name.split(".")[:-1]:
            owner = getattr(owner, part)
        kind = getattr(owner, "original_name", type(owner).__name__)
        # Tokens and positions belong to no layer, and a normalization hands on the shape that it takes.
        if "Norm" in kind or next(owner.children(), None) is not None:
            continue
        if kind.startswith("Conv") and weight.dim() in (3, 4, 5):
            sides = ["length"], ["height", "width"], ["depth", "height", "width"]
            groups = getattr(owner, "groups", 1)
            return "float32", ["batch", weight.shape[1] * groups, *sides[weight.dim() - 3]]
        if kind == "Linear":
            return "float32", ["batch", weight.shape[1]]
        if kind == "Embedding":
            return "int64", ["batch", "tokens"]
        if kind in ("LSTM", "GRU", "RNN"):
            order = ["batch", "steps"] if getattr(owner, "batch_first", False) else ["steps", "batch"]
            return "float32", [*order, weight.shape[1]]
        break
    return "float32", None
