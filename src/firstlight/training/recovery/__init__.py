"""How a run ends early and goes on: signals, losses that are not finite, the state it continues from, longer runs."""
