"""Tables: read, understood column by column, and encoded as numbers."""
