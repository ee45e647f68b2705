"""Interpositive: post-production tools that learn from a production's own footage."""

__version__ = "0.1.0"
