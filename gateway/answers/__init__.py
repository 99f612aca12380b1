"""What the API answers, member by member, so that clients can be made from its document.

Every member is always there: null or empty where there is nothing to say.
"""
