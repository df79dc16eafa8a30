"""Random numbers that follow from what they are for (a seed, an epoch, a step), never from what was drawn before."""

import hashlib

import torch


def derive(seed: int, *keys: int | str) -> int:
    """A 63-bit seed of its own for every combination of `seed` and `keys`, the same on every machine."""
    digest = hashlib.blake2b(repr((seed, *keys)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *keys: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that stands at the beginning of the sequence of `seed` and `keys`."""
    return torch.Generator(device).manual_seed(derive(seed, *keys))


def reseed(seed: int, device: torch.device) -> None:
    """Begin the sequence that layers such as dropout draw from, on the CPU and on `device`.

    Not `torch.manual_seed`: before CUDA is in use, that keeps a traceback of every call, a millisecond each.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
