"""The run that everybody makes: twenty steps in five layers of four."""

LAYERS, WIDTH = 5, 4
