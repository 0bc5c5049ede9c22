"""Exact integer arithmetic of TFLite's reference kernels, one op family a file, in numpy."""
