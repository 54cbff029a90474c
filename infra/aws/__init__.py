"""On AWS: what is deployed, and what it costs."""
