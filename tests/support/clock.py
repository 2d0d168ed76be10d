"""The simulation's clock, as tests name it."""

from syncengine.simulation.clock import ManualClock as TestClock

__all__ = ["TestClock"]
