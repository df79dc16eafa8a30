"""What tests share: generated data, small tasks, stopped runs."""
