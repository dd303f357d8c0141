"""DistilPose (Ye et al., CVPR 2023) and SDPose."""
