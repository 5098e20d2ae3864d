"""Traces a model, and tells which modules break a trace by what they do."""

from torch.ao.quantization import QuantStub, QuantWrapper

from failures import Failure


class Innermost:
    """For a tracer, which it stands before: `broken` is the path of the innermost module that raised, "" for the model."""

    broken = ""

    def call_module(self, module, forward, args, kwargs):
        try:
            return super().call_module(module, forward, args, kwargs)
        except Exception:
            self.broken = self.broken or self.path_of_module(module)
            raise


def trace_around(module, make, leaves):
    """Opens all that can be traced. `make(leaves)` gives a tracer that does not open these.

    Returns the tracer, its graph, and the leaves; raises what the model itself raises.
    """
    leaves = list(leaves)
    while True:
        tracer = make(leaves)
        try:
            return tracer, tracer.trace(module), leaves
        except Exception:
            if tracer.broken in ("", *leaves):
                raise
            # What breaks one breaks all of its kind.
            kind = type(module.get_submodule(tracer.broken))
            leaves += [path for path, part in module.named_modules() if type(part) is kind and path not in leaves]


def untraceable(module, make, leaves, error):
    """The failure of a trace, with what would make up for it."""
    try:
        missing = [path for path in trace_around(module, make, leaves)[2] if path not in leaves]
    except Exception:
        missing = []
    facts = {"leaves": missing, "stubs": has_stubs(module)}
    return Failure("untraceable", f"FX cannot trace the model: {str(error).strip()}", "model", facts)


def has_stubs(model):
    return any(isinstance(part, (QuantStub, QuantWrapper)) for part in model.modules())
