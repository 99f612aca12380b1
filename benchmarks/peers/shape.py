"""What is the same for everybody who is measured."""

LAYERS, WIDTH = 5, 4  # of the run that everybody makes: twenty steps
CALL_S = 0.025  # what a call of a real plan takes
