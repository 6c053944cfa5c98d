"""When calls to an endpoint that only fails are held back, and how they come back."""

from console.gateway.resilience.breaker import Breaker
from console.gateway.resilience.pace import SLOWEST, Pace


def failing(breaker: Breaker, moment: float, times: int = 5) -> bool:
    return [breaker.failed(moment) for _ in range(times)][-1]


def test_it_opens_after_five_failures_and_lets_one_probe_through() -> None:
    breaker = Breaker()
    assert not failing(breaker, 100, 4) and breaker.admits(100)
    assert breaker.failed(100), "the fifth opens it"
    assert not breaker.admits(104.9)
    assert breaker.admits(105.1) and not breaker.admits(105.2), "one probe at a time"
    assert breaker.succeeded() and breaker.is_closed and breaker.admits(105.3)


def test_it_stays_closed_while_most_calls_succeed_or_failures_are_old() -> None:
    breaker = Breaker()
    breaker.failed(100)
    for _ in range(10):
        breaker.succeeded()
    assert not failing(breaker, 100, 8) and breaker.failed(100), "ten of ten against ten successes"
    slow = Breaker()
    assert not any(slow.failed(100 + 31 * turn) for turn in range(20))


def test_a_failed_probe_opens_it_for_longer_each_time_up_to_a_minute() -> None:
    breaker, moment, pauses = Breaker(), 100.0, []
    failing(breaker, moment)
    for _ in range(6):
        pauses.append(breaker.open_until - moment)
        moment = breaker.open_until
        assert breaker.admits(moment) and breaker.failed(moment)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_it_probes_although_the_clock_was_set_back_meanwhile() -> None:
    breaker = Breaker()
    failing(breaker, 7200)
    assert breaker.admits(3600) and not breaker.admits(3601), "one probe at a time"
    assert breaker.succeeded() and breaker.admits(3602)
    failing(breaker, 7200)
    assert breaker.admits(7206) and breaker.admits(3600), "nobody waits an hour for the probe of an hour later"


def test_calls_that_began_before_it_opened_and_probes_without_a_word_change_nothing() -> None:
    breaker = Breaker()
    failing(breaker, 100)
    assert not breaker.failed(101) and breaker.open_until == 105
    assert breaker.admits(106)
    breaker.release()
    assert breaker.admits(107), "the client of the probe left; the next call is the probe"


def test_what_a_probe_has_answered_does_not_open_it_again_when_it_is_heard_of_once_more() -> None:
    """Others are told until when it is open, and their clocks may be behind."""
    breaker = Breaker()
    failing(breaker, 100)
    said = breaker.open_until
    assert breaker.admits(said) and breaker.succeeded()
    breaker.open_elsewhere(said)
    assert breaker.is_closed
    breaker.open_elsewhere(said + 1)
    assert not breaker.admits(said), "what another found out since counts"


def test_the_batch_lane_yields_by_halves_and_comes_back_by_steps() -> None:
    pace = Pace()
    for number in range(100):
        pace.observe(100, number / 100)
    assert pace.p95(101) == 0.95
    assert pace.p95(140) is None, "half a minute later nobody knows"
    assert [pace.adjust(0.95, 0.5) for _ in range(3)] == [0.5, 0.25, 0.125]
    assert round(pace.adjust(0.2, 0.5), 3) == 0.175 and pace.adjust(None, 0.5) > 0.2
    for _ in range(20):
        pace.adjust(0.95, 0.5)
    assert pace.factor == SLOWEST, "it never stops altogether"
