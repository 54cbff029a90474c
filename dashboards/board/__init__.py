"""The live board: one page over OpenSearch that moves while the shop sells."""
