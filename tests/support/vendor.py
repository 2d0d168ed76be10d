"""The simulation's vendor, as tests name it."""

from syncengine.simulation.traits import Fault, Shape, as_it_is, spec
from syncengine.simulation.vendor import FakeVendor

__all__ = ["FakeVendor", "Fault", "Shape", "as_it_is", "spec"]
