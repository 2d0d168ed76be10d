"""The ledger: all that the engine knows and has decided, in SQL. Nothing outside this room speaks SQL.

Used by the main thread of a process only.
"""

from syncengine.ledger.ledger import Ledger, Transaction

__all__ = ["Ledger", "Transaction"]
