"""People in a picture: the project's own finder and other people's ONNX detectors."""
