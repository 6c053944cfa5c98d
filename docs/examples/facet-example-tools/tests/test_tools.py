import pytest
from facet_example_tools import CannotConvert, CardNumber, ConvertUnits, NoCardNumbers


def test_it_converts():
    assert ConvertUnits().call({"value": 2, "unit": "mile", "to": "km"}, None) == {"value": 3.218688, "unit": "km"}
    with pytest.raises(CannotConvert, match="ell"):
        ConvertUnits().call({"value": 2, "unit": "ell", "to": "km"}, None)


def test_it_stops_card_numbers():
    class Call:
        arguments = {"note": "4111 1111 1111 1111"}

    with pytest.raises(CardNumber):
        NoCardNumbers().before_tool_call(Call)
