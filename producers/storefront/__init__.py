"""The demo storefront: a small shop whose orders go to a spool and whose requests go to an access log."""
