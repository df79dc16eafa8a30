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
