"""From words to a plan that the machine accepts.

The plan language itself is `executor/plan`: the machine defines and verifies what it runs.
"""
