"""A bundle as the thing that a build system takes: one file a format, over one product."""
