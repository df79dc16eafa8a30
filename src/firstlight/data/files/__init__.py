"""The original files of data sets: found, downloaded, unpacked; what is left out is counted."""
