"""Closure: the completion protocol, and what it needs to know of a final disposition.

Belongs here: dispositions, plans, steps, what a target is asked and may answer, and the rules that stop a plan. Does
not belong here: stored rows (`store`), talking to a target (`connections`), and running a plan (`application`).
"""
