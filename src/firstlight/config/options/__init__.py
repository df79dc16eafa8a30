"""Options that every network, task, optimizer or run has, besides those of its class; one file for each group."""
