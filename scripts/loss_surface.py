"""Draw the loss of a line with paths of gradient descent, or around a network: `loss_surface.py rates=[0.1]`."""

from lessons.loss_surface import main

if __name__ == "__main__":
    main()
