"""Export a run to one file that needs no firstlight, with the preprocessing inside.

Exports `export`.
"""

from firstlight.runs.export.exporter import export as export
