"""Locust users of a sale day: python -m locust -f loadtests/users/locustfile.py --plan RUN/plan.json"""
