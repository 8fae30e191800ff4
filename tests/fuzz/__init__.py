"""Fuzzers of the readers: damaged and strange models must be compiled or refused, and nothing else."""
