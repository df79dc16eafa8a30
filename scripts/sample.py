"""Generate a text or images with a finished run: `sample.py run=outputs/text-lstm/... prompt="The "`."""

from firstlight.commands.trained.sample import main

if __name__ == "__main__":
    main()
