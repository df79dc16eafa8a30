"""Let optimizers race over the loss surface of a line: `race.py optimizers=[sgd,adam] rate=0.1`."""

from lessons.race import main

if __name__ == "__main__":
    main()
