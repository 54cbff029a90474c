"""OpenSearch Dashboards: index patterns, visualisations and dashboards as saved objects, from the list of figures."""
