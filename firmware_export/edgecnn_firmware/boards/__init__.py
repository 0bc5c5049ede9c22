"""Compiled C on virtual microcontrollers: exact instruction counts, flash, RAM and stack without a board on the desk."""
