"""Print every number of a small network's forward and backward pass: `backprop.py inputs=[0.05,0.1]`."""

from lessons.backprop import main

if __name__ == "__main__":
    main()
