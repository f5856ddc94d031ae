"""The operations of the admin API that run as jobs.

Each module is a source of operations of its own. Their services are of a type that no directory
lists: they are asked for through the resources that know who may.
"""
