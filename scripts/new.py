"""Write a small project of one's own: `new.py myproject`; `new.py --help` says more."""

from firstlight.commands.new import main

if __name__ == "__main__":
    main()
