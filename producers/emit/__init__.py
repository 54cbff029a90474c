"""The emit SDK: a shop appends its orders to a spool on its own disk, and the agent takes them from there.

    spool = Spool("/var/spool/shop")
    spool.append(order)  # a dict, see the order contract
    spool.close()

Standard library only; this folder may be copied into a shop as it is, or installed as a wheel (`storepulse_emit`).
"""

from .spool import Spool

__all__ = ["Spool"]
