"""FasterPose (Dai et al., 2021)."""
