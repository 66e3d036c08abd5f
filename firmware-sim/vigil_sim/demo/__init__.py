"""The whole system on one machine: ``vigil-sim demo`` and ``vigil-sim city``.

Only processes and public interfaces are used here (console scripts, HTTP, files):
the demo knows of the edge and the cloud what an operator knows.
"""
