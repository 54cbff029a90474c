"""The fleet from outside: what it does (`status`), and how an operator acts on it (`drain`, `rewind`)."""
