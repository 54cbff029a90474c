"""The stores as the account sees them."""
