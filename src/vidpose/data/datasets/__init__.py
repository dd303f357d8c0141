"""Data sets in their official layouts, one set one file."""
