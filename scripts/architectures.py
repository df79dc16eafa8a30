"""List networks with their parameters and operations: `architectures.py names=[lenet,resnet18] size=32`."""

from lessons.architectures import main

if __name__ == "__main__":
    main()
