"""What a generative network makes: `sample.py run=outputs/text-lstm/... prompt="The "`."""

from firstlight.commands.cli import sample

if __name__ == "__main__":
    sample()
