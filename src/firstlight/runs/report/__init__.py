"""Pages about runs, for a browser: `report.html` of one run, and a page that compares several.

Each page is one file: figures, images and style are inside, and nothing is loaded from elsewhere. This package reads
the files of run folders and imports no torch.
"""

from firstlight.runs.report.report import write_report as write_report
