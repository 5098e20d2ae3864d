"""What this interpreter can do: its torch, that torch's engines and ways to quantize."""

import importlib.util
import platform
import sys


def check():
    found = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "torch": None,
        "engines": [],
        "fx": False,
        "torchao": None,
        "torchvision": None,
        "problem": None,
        "install": "torch",
    }
    if sys.version_info < (3, 8):
        return {**found, "problem": "Python 3.8 or newer is needed"}
    if importlib.util.find_spec("torch") is None:
        return {**found, "problem": "torch is not installed"}
    try:
        import torch
    except (ImportError, OSError, ValueError) as error:
        return {**found, "problem": f"torch cannot be imported: {error}"}
    found["torch"] = torch.__version__
    found["engines"] = [engine for engine in torch.backends.quantized.supported_engines if engine != "none"]
    try:
        from torch.ao.quantization import quantize_fx

        found["fx"] = hasattr(quantize_fx, "prepare_fx")
    except ImportError:
        pass
    for name in ("torchao", "torchvision"):
        found[name] = _version(name)
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (1, 13):
        found["problem"] = f"torch 1.13 or newer is needed; this is {torch.__version__}"
        found["install"] = "torch>=1.13"
    elif not found["fx"] and found["torchao"] is None:
        found["problem"] = f"torch {torch.__version__} no longer has torch.ao.quantization, and torchao, its heir, is not installed"
        found["install"] = "torchao"
    return found


def use_engine(engine):
    """@raise RuntimeError where this build of torch lacks it"""
    import torch

    torch.backends.quantized.engine = engine


def saturating_engines():
    """Of every engine of this torch, whether its u8 x s8 products saturate on this CPU.

    x86 without VNNI adds pairs of them in 16 bits (`vpmaddubsw`). Which kernel an engine picks is its own affair, so the
    largest sum is computed with each and looked at. Leaves the current engine as it is.
    """
    import torch

    before = torch.backends.quantized.engine
    depth, found = 64, {}
    for engine in torch.backends.quantized.supported_engines:
        if engine == "none":
            continue
        torch.backends.quantized.engine = engine
        x = torch.quantize_per_tensor(torch.full((1, depth), 255.0), 1.0, 0, torch.quint8)
        weight = torch.quantize_per_tensor(torch.full((depth, depth), 127.0), 1.0, 0, torch.qint8)
        # The exact sum becomes 200.
        scale = depth * 255 * 127 / 200
        y = torch.ops.quantized.linear(x, torch.ops.quantized.linear_prepack(weight, None), scale, 0)
        found[engine] = int(y.int_repr()[0, 0]) != 200
    torch.backends.quantized.engine = before
    return found


def _version(package):
    if importlib.util.find_spec(package) is None:
        return None
    try:
        from importlib.metadata import version

        return version(package)
    except Exception:
        return "unknown"
