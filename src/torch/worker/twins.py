"""Modules whose int8 kernel is missing or wrong, and equal ones that have a right one."""

from torch import nn

from failures import Failure


def _of_prelu(module):
    slopes = module.weight.detach().flatten()
    # `max(0, x) + slope * min(0, x)` in both; one slope for all channels is what LeakyReLU has.
    return nn.LeakyReLU(float(slopes[0])) if bool((slopes == slopes[0]).all()) else None


def _of_rrelu(module):
    # Outside training its random slope is the middle of its bounds.
    return nn.LeakyReLU((module.lower + module.upper) / 2)


_TWINS = {nn.PReLU: _of_prelu, nn.RReLU: _of_rrelu}


def twin_of(module):
    """A module that computes the same bits in eval mode and has an int8 kernel; None where there is none."""
    make = _TWINS.get(type(module))
    return None if make is None else make(module)


def twins_in(model):
    """What each module of the model might be replaced by, as class names by path."""
    found = {path: twin_of(module) for path, module in model.named_modules()}
    return {path: type(twin).__name__ for path, twin in found.items() if twin is not None}


def replace_by_twins(model, paths):
    """In place. Returns the code that builds each twin, by path."""
    made = {}
    for path in paths:
        parent, _, name = path.rpartition(".")
        try:
            owner = model.get_submodule(parent)
            module = getattr(owner, name)
        except AttributeError:
            raise Failure("twin", f'the model has no module "{path}"', "torch.twins") from None
        twin = twin_of(module)
        if twin is None:
            kinds = ", ".join(kind.__name__ for kind in _TWINS)
            what = f'"{path}" is {type(module).__name__}, which no other module equals that has an int8 kernel'
            raise Failure("twin", f"{what}; those that may have one are {kinds}, PReLU with equal slopes", "torch.twins")
        setattr(owner, name, twin.eval())
        made[path] = f"torch.nn.{twin!r}"
    return made
