"""People in a running camera or stream: the newest frame at once, with or without a page."""

from vidpose.live.records import LiveRecord, RecordFile
from vidpose.live.session import LiveSession

__all__ = ["LiveRecord", "LiveSession", "RecordFile"]
