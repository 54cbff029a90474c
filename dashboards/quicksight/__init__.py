"""QuickSight from the list of figures: data source, data sets, analysis, dashboards, theme and who may see them."""
