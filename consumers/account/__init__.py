"""The account: what became of every line that the shop emitted, in every store, and where what is missing was lost."""
