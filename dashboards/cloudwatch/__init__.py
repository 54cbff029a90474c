"""CloudWatch's alarms and dashboard, generated from the list of figures.

`alarms(names)` and `dashboard_body(names)` are pure; a CDK stack reads them as `python -m dashboards cloudwatch` does.
"""

from dashboards.cloudwatch.alarms import AlarmSpec as AlarmSpec
from dashboards.cloudwatch.alarms import alarms as alarms
from dashboards.cloudwatch.body import dashboard_body as dashboard_body
from dashboards.cloudwatch.deployed import Deployed as Deployed
