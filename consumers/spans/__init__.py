"""A span of one shard on its way to the lake: raw records, columns, files, and the chain of manifests."""
