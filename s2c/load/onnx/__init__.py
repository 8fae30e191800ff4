"""Reads an ONNX file into a Graph of source ops."""

from s2c.load.onnx.reader import load_onnx

__all__ = ["load_onnx"]
