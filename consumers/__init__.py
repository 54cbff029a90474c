"""Readers of the streams: sources, pure stages, sinks, and the paths that join them."""
