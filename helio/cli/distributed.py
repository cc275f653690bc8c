"""Commands as one of several processes."""

from __future__ import annotations


def joined(where: str, devices: int | None) -> int:
    """Join the others and return the number of devices of all together: those asked for, or all there are."""
    import jax

    from helio.simulate.processes import join_processes

    join_processes(where, devices=devices)
    return devices or jax.device_count()


def follows(where: str | None) -> bool:
    """Whether another process speaks for all."""
    if where is None:
        return False
    from helio.simulate.processes import is_first

    return not is_first()
