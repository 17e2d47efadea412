"""The contract, kept by PyTorch, TensorFlow and the reference."""

from conformance_tests import (
    FIRST,
    cells,
    found,
    test_the_contract_is_kept,
    test_the_pins_are_in_order,
    test_what_reads_a_clock_is_kept_too,
)

__all__ = ["found", "test_the_contract_is_kept", "test_the_pins_are_in_order", "test_what_reads_a_clock_is_kept_too"]
pytestmark = cells(FIRST)
