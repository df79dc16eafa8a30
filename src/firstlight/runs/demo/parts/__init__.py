"""The parts of the page, one for each kind of input: what the network answers, and the fields on the page."""
