"""A self-hosted, bidirectional sync engine for HR systems."""

__version__ = "0.1.0"
