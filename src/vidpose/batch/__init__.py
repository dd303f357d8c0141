"""Thousands of videos into one data set, with a manifest that says what became of each."""

from vidpose.batch.driver import run_batch
from vidpose.batch.progress import Monitor, Summary
from vidpose.batch.settings import Settings

__all__ = ["Monitor", "Settings", "Summary", "run_batch"]
