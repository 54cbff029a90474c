"""Reference data: the catalogue and the customer list that the validator judges by."""
