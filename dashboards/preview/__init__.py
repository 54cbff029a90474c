"""QuickSight's sheets as one page, drawn from the warehouse: the same definitions, walked as QuickSight would."""
