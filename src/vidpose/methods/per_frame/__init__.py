"""Networks that find the pose in every frame anew."""
