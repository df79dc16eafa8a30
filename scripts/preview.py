"""What an augmentation makes of the data: `preview.py data=asl augment=light`."""

from firstlight.commands.cli import preview

if __name__ == "__main__":
    preview()
