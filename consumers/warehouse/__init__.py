"""History in Redshift: its tables, and how manifests are taken into them, once each."""
