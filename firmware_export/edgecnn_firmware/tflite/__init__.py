"""Untrusted `.tflite` bytes -> a graph that is safe to walk, and what it costs."""
