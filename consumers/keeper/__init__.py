"""What must happen once: one process under one lease, its duties beside each other."""
