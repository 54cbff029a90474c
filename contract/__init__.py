"""The words that every part of storepulse shares: events, money, identity, reasons. Pure: no I/O, no client library."""
