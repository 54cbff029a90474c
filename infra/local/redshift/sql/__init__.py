"""From Redshift's SQL to PostgreSQL's; `statements` is the way in."""
