"""Stand-ins for what the account looks at, and the suite that they and the real ones pass."""
