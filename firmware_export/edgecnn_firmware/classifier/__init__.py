"""The classifier around the compiled network: from a sensor's samples to a label that has settled, in C and in Python."""
