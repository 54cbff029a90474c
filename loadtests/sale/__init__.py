"""A rehearsed sale day: what is intended, who sends it, and the stack that it happens on."""
