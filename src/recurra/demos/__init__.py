"""Demonstrations that need no data files."""
