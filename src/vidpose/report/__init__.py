"""A result as one self-contained page: player, plots, timeline, numbers."""

from vidpose.report.page_file import write_report

__all__ = ["write_report"]
