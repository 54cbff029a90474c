"""What all of it costs on AWS: a price table, measured sizes, and a pure model between them."""
