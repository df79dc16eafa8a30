"""Every job of a sweep is composed and built before any is trained, and all mistakes are listed together."""

from firstlight.training.sweeps.checking.first import NOT_CHECKED as NOT_CHECKED
from firstlight.training.sweeps.checking.first import Checked as Checked
from firstlight.training.sweeps.checking.first import check_jobs as check_jobs
from firstlight.training.sweeps.checking.first import listed as listed
