"""Print and draw activations with their derivatives: `activations.py names=[relu,gelu]`."""

from lessons.activations import main

if __name__ == "__main__":
    main()
