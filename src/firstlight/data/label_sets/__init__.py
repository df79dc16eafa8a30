"""Images with several labels: noted in a table, or by folders that contain the same image."""
