"""Train a network: `train.py data=mnist model=lenet optimizer.lr=3e-3`; `train.py --help` lists the choices."""

from firstlight.commands.train import main

if __name__ == "__main__":
    main()
