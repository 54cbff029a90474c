"""The keys of customer hashes: where they are kept, which one is in force, how the next one comes."""
