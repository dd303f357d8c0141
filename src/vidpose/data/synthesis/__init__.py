"""Labelled stills turned into labelled clips."""
