"""What Locust loads: all users of a sale day and its shape. `python -m loadtests sale-day` starts it; by hand:

python -m locust -f loadtests/users/locustfile.py --plan RUN/plan.json --headless -H http://127.0.0.1:8080
"""

from loadtests.users import gate  # noqa: F401  # its listeners
from loadtests.users.analyst import Analyst
from loadtests.users.board_viewer import BoardViewer
from loadtests.users.event_user import EventUser
from loadtests.users.shape import SaleDayShape
from loadtests.users.shopper import Shopper

__all__ = ["Analyst", "BoardViewer", "EventUser", "SaleDayShape", "Shopper"]
