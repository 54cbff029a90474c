"""What judging needs besides the records: the key of customer hashes, and the published snapshots."""
