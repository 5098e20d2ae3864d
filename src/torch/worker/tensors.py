"""What models take and give: tensors, and tuples and lists of them."""

import torch


def copied(value):
    if isinstance(value, torch.Tensor):
        return value.clone()
    return type(value)(map(copied, value)) if type(value) in (tuple, list) else value


def first_tensor(value):
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return next((found for found in map(first_tensor, value) if found is not None), None)
    return None


def as_float(value):
    tensor = first_tensor(value)
    if tensor is None:
        return None
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor if tensor.is_floating_point() else None


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def span_of(observer):
    """What an observer of a whole tensor has seen; None of one that saw nothing, or each channel by itself."""
    low, high = getattr(observer, "min_val", None), getattr(observer, "max_val", None)
    if low is None or high is None or low.numel() != 1:
        return None
    low, high = float(low), float(high)
    return {"min": low, "max": high} if low <= high and abs(low) != float("inf") else None
