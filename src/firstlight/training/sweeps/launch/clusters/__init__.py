"""Launchers of clusters: jobs of SLURM through submitit, and tasks of Ray. Both are extras."""
