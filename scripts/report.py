"""Write the report of a run again: `report.py run=outputs/digits-lenet/...`."""

from firstlight.commands.trained.report import main

if __name__ == "__main__":
    main()
