"""Networks for video side by side, on the same clips."""
