"""The vendors as real HTTP servers on the loopback interface, with faults.

Written from the vendors' own pages; as strict as these. It shares no code with the connectors.
"""
