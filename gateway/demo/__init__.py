"""The demonstration: the main job end to end, on the shop of `examples/shop`."""
