"""A model and lists of widths, precisions and targets to measured points, resumably and in parallel."""
