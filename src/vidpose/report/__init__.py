"""A result as one self-contained page: player, plots, timeline, numbers."""

from vidpose.report.page_file import REPORT_SUFFIXES, write_report

__all__ = ["REPORT_SUFFIXES", "write_report"]
