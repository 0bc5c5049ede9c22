"""Ops that run in turns, a stripe of rows at a time, so that what lies between them never lies in memory whole."""
