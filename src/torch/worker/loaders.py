"""Samples of a user's own DataLoader, one by one."""

import torch


def loader_rows(loader, ranks, limit):
    """Yields ([input, …], label or None) of at most `limit` samples, each input with a batch dimension of 1.

    `loader`: what can be iterated, or a function that returns it: a DataLoader or a Dataset of tensors, of dictionaries by
    input name, or of pairs of either with a label. `ranks`: {input name: dimensions with that of the batch}.
    """
    torch.manual_seed(0)
    given = loader() if callable(loader) and not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__") else loader
    left = limit
    for item in given:
        inputs, labels = _parts(item, list(ranks))
        wanted = list(ranks.values())
        single = inputs[0].dim() == wanted[0] - 1
        for row in range(1 if single else inputs[0].shape[0]):
            if left == 0:
                return
            label = labels if single or labels is None else labels[row]
            is_class = label is not None and torch.as_tensor(label).dim() == 0
            yield [x[None] if single else x[row : row + 1] for x in inputs], int(label) if is_class else None
            left -= 1


def _parts(item, names):
    if isinstance(item, dict):
        return [item[name] for name in names], next((item[key] for key in ("label", "labels", "target") if key in item), None)
    if isinstance(item, torch.Tensor):
        return [item], None
    first, *others = item
    if isinstance(first, (list, tuple, dict)):
        return _parts(first, names)[0], others[0] if others else None
    inputs = list(item[: len(names)])
    return inputs, item[len(names)] if len(item) > len(names) else None
