"""A seeded single-lead ECG simulator, so that the whole road can be walked without a download."""
