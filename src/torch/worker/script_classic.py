"""Writes the script that makes the same int8 model with torch alone."""

import torch

import eager
import layers
import observers
import qconfigs
import ranges
import tensors
import training as distillation
from script import function_text, head_text, import_of, samples_text, source_text

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
    target = f"{name}.int8.pt"
    parts = [head_text(facts, target, _STEPS[mode] + ", TorchScript", "torch", _imports(mode, special, changes.hidden), f"BACKEND = {backend!r}\n")]
    if special:
        parts += [source_text(ranges), source_text(observers), source_text(qconfigs)]
    if changes.hidden:
        parts += [function_text(layers.KeepFloat), f"_WEIGHTED = {_weighted()}\n\n\n", function_text(layers.hide_from_lowering)]
    if mode == "eager":
        parts += [function_text(eager.FloatIsland)] if changes.islands else []
        parts += [function_text(eager.observed_eager)]
    if distils:
        parts += [function_text(tensors.copied), function_text(tensors.first_tensor), source_text(distillation)]
    elif mode == "qat":
        parts += [_LOAD_TRAIN.format(load=import_of(training["train"], "    return {}"))]
    parts.append(samples_text(facts))
    parts.append(
        _MAIN.format(
            threads=facts["threads"],
            engine=options.get("engine") or backend,
            prepare=_prepare(mode, options, changes, settings, special),
            calibrate="" if mode == "dynamic" else _CALIBRATE + ("    settle(prepared)\n" if mode == "qat" and special else ""),
            train=_train(training, distils) if mode == "qat" else "",
            convert=f"{_CONVERT.get(mode, 'convert_fx')}(prepared)",
            target=target,
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


def _weighted():
    return "(" + ", ".join(f"nn.{kind.__name__}" for kind in layers._WEIGHTED) + ")"
