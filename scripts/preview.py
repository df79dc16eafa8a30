"""Show augmented samples: `preview.py data=asl augment=light`."""

from firstlight.commands.preview import main

if __name__ == "__main__":
    main()
