"""Reads an ONNX file into a Graph of source ops."""

from s2c.readers.onnx.reader import load_onnx

__all__ = ["load_onnx"]
