"""``vigil-cloud conform``: watches one gateway's messages and names what is wrong with them.

Reads with ingest's own decoder, so what it says ingest would do is what ingest does. It stores
nothing and, unless it is asked to stand in for a cloud on a bench, sends nothing.
"""
