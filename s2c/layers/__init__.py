"""Layers as compositions of source ops, shared by the readers: pure functions from nodes to nodes."""
