"""Labelled images and videos: read, made into clips, loaded for training."""
