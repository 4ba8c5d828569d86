"""Settings: composed by Hydra, checked, and built into options.

Nothing is imported here, so that `byheart --help` does not wait for Hydra.
"""
