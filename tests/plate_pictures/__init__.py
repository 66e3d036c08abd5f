"""Whole pictures of cars with plates of Europe and of the United States, drawn by the tests.

Nothing here is shared with the edge or with the simulators: what is drawn is the text, the place
and the look of a plate as its country's rules have it, among the other writing of a street.
"""
