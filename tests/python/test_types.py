"""The types of the functions, which are those of the options."""

import typing

import trimtab


def test_functions_carry_the_types_of_their_options():
    hints = typing.get_type_hints(trimtab.fit)
    assert hints["return"] is trimtab.FitResult
    assert hints["optimize"] == typing.Optional[typing.Literal["speed", "size"]]
    assert hints["max_latency"] == typing.Optional[float]
    assert hints["epochs"] == typing.Optional[int]
    assert hints["search"] is bool
    assert typing.get_type_hints(trimtab.FitResult)["flash_bytes"] is int
    assert typing.get_type_hints(trimtab.package)["for_"] == typing.Literal[
        "arduino", "platformio", "zephyr", "esp-idf", "cmsis-pack"
    ]
