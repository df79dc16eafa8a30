"""Show augmented samples: `preview.py data=asl augment=light`."""

from firstlight.commands.cli import preview

if __name__ == "__main__":
    preview()
