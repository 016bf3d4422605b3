"""Inputs of users, upstreams and files that must neither stop a component nor read, reach or leak anything.

``inputs`` has the inputs and what becomes of each, ``test_replay`` sends them to a stack of its own.
"""
