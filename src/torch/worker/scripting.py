"""torch.jit.script, without a fault of torch's own table of builtins."""

import torch
from torch.jit._builtins import _get_builtin_table


def scripted(module):
    """Torch tells builtins by their ids, and keeps those of some that are gone (`torch._ops._refresh_packet`). A list that
    came to lie where one was counts as a builtin then, which is no value: "builtin cannot be used as a value"."""
    builtins = _get_builtin_table()
    for part in module.modules():
        for value in vars(part).values():
            if not callable(value):
                builtins.pop(id(value), None)
    return torch.jit.script(module)
