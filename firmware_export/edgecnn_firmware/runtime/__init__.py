"""Hand-written C99 kernels, one family a file, copied beside the generated code."""
