"""Image files: read, decoded into arrays, compared with each other, and shown."""
