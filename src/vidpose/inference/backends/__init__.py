"""Graphs run on a CPU, by ONNX Runtime or OpenVINO."""
