"""The live store: bulk writes of rows, and the index templates that its documents need."""
