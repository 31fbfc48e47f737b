"""Demonstrations that need no data: a network that learns to write, and the smallest example."""
