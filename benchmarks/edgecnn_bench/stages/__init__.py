"""The loss of accuracy from the float model to the C on a device, split into single steps."""
