"""What a server can serve: the task of a run, or an exported file in the place of one."""
