"""The ledger: all that the engine knows and has decided, in SQL. No other package speaks SQL.

Used by the main thread of a process only.
"""

from syncengine.ledger.ledger import Ledger, Transaction

__all__ = ["Ledger", "Transaction"]
