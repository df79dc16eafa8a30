"""The commands that use a trained run: they start from its folder, and `job` describes their job."""
