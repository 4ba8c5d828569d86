"""The door through which settings enter: what the user said, as Hydra composes it, checked and built into options.

Nothing is imported here, so that `byheart --help` need not wait for Hydra.
"""
