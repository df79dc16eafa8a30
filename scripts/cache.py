"""List or delete stores: `cache.py data.dir=photos`, `cache.py clear=all`."""

from firstlight.commands.cache import main

if __name__ == "__main__":
    main()
