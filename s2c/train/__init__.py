"""Graphs as trainable torch modules: retraining, distillation, quantization-aware training."""
