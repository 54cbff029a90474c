"""A real shop judged by reference data made of its own past: what the rules refuse, and what they should."""
