"""Compiled networks on this machine: find its C compiler, build a shared library, call it."""
