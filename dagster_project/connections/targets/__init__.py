"""Target adapters: the systems that a completion writes to and reads, as SQL tables and over HTTP.

Belongs here: meeting the protocols of `closure.targets` and `closure.disposition` for one kind of system each. Does not
belong here: what a step writes, when it is repeated, and what a failure leads to (`closure`, `application`).
"""
