"""Kernels of the book, one module per topic, and the helpers every chapter shares."""
