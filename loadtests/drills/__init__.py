"""Drills: faults provoked under load, with what they cost and what the operator saw."""
