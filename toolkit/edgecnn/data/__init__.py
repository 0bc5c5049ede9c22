"""Recordings, readers, windows, splits and normalization: from files users have to arrays a model can be trained on."""
