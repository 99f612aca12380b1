"""The machine: what a plan can say, which plans are accepted, and what then happens.

It works with `planner/` and `gateway/` deleted.
"""
