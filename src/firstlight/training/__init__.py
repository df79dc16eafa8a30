"""Training: from a config to a run folder, in one process or several. Together with `tasks`, it knows Lightning."""
