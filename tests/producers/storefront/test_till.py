import threading

import pytest

from producers.storefront.till import Till

pytestmark = pytest.mark.unit


class Recording:
    def __init__(self):
        self.log = []

    def append(self, event):
        self.log.append(("spooled", event["order_id"]))


def test_the_order_is_in_the_spool_before_anyone_hears_its_number():
    spool = Recording()
    order = Till(spool).take("t", lambda: {"order_id": "O-1"})
    spool.log.append(("answered", order["order_id"]))
    assert spool.log == [("spooled", "O-1"), ("answered", "O-1")]


def test_threads_that_send_the_same_form_make_one_order():
    spool, orders = Recording(), []
    till, together = Till(spool), threading.Barrier(8)

    def send(number):
        together.wait()
        orders.append(till.take("t", lambda: {"order_id": f"O-{number}"})["order_id"])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spool.log) == 1
    assert set(orders) == {spool.log[0][1]}


def test_a_till_forgets_the_oldest_orders_past_its_limit():
    till = Till(Recording(), remembered=2)
    for number in range(3):
        till.take(f"t{number}", lambda number=number: {"order_id": f"O-{number}"})
    assert (till.taken("t0"), till.order("O-0")) == (None, None)
    assert till.order("O-2") == till.taken("t2") == {"order_id": "O-2"}


def test_an_order_that_the_spool_refuses_is_not_taken():
    class Full:
        def append(self, event):
            raise OSError(28, "full")

    till = Till(Full())
    with pytest.raises(OSError, match="full"):
        till.take("t", lambda: {"order_id": "O-1"})
    assert till.taken("t") is None
    assert till.order("O-1") is None
