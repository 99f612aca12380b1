"""Plays an accepted plan against answers that nobody gave, to tell what it would do, and to whom.

`rehearse.py` is the door. Everything here is a pure function of the plan, the policy and the
answers at hand: there is no connector, no store and no clock that anything could reach.
"""
