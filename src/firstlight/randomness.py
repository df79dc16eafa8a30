"""Random numbers that depend on the seed, on their use and on the epoch or step, but not on earlier draws."""

import hashlib

import torch


def derive(seed: int, *keys: int | str) -> int:
    """Return a 63-bit seed that differs for every combination of `seed` and `keys`, and is equal on all machines."""
    digest = hashlib.blake2b(repr((seed, *keys)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *keys: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator, seeded by `seed` and `keys`."""
    return torch.Generator(device).manual_seed(derive(seed, *keys))


def reseed(seed: int, device: torch.device) -> None:
    """Seed the global generators, from which layers such as dropout draw, of the CPU and of `device`.

    `torch.manual_seed` is slower: before CUDA is initialised it stores a traceback in every call, which takes a
    millisecond.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
