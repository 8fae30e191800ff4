"""What quantization decides without torch: forms, ranges, equal scales, factors between layers."""
