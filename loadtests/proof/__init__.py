"""The proof: what was intended against what each store holds, how fresh it was, and what it cost."""
