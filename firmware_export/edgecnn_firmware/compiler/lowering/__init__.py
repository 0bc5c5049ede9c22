"""`.tflite` ops -> the compiler's ops, one family a file; `lower.py` walks the graph."""
