"""Generate a text or images with a finished run: `sample.py run=outputs/text-lstm/... prompt="The "`."""

from firstlight.commands.cli import sample

if __name__ == "__main__":
    sample()
