"""Which limits hold for a widget."""

from console.chat.embed.limits import DEFAULTS, MOST, limits_of


def test_it_takes_a_widgets_own_limits_within_the_most_and_ignores_nonsense() -> None:
    assert DEFAULTS.keys() == MOST.keys() and all(DEFAULTS[name] <= MOST[name] for name in DEFAULTS)
    assert limits_of({}) == DEFAULTS
    own = limits_of({"visitor_minute": 0, "visitor_day": 10**9, "network_day": "many", "widget_day": -1, "model": 3})
    assert (own["visitor_minute"], own["visitor_day"]) == (0, MOST["visitor_day"])
    assert (own["network_day"], own["widget_day"]) == (DEFAULTS["network_day"], DEFAULTS["widget_day"])
    assert own.keys() == DEFAULTS.keys()
