"""The contract between gateways and the cloud: the one place where messages are defined.

Every other package of Vigil imports this one and nothing of each other. JSON
Schema and AsyncAPI are exported from these models (``python -m vigil_schemas.export``).
"""
