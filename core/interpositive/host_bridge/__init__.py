"""What a host imports: starts the engine in its own process and speaks its protocol.

    with Engine() as engine:
        result = engine.run("apply", {"model": "models/sh010", ...}, on_progress=show)

Standard library only and readable by Python 3.9, so that any host's own Python can import it.
"""

from .engine import Engine, EngineRun
from .locating import find_engine, remember_engine
from .protocol import PROTOCOL_VERSION

__all__ = ["PROTOCOL_VERSION", "Engine", "EngineRun", "find_engine", "remember_engine"]
