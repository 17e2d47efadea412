"""The contract, kept by PyTorch, TensorFlow and the reference."""

from conformance_tests import (
    FIRST,
    pytest_generate_tests,
    test_the_contract_is_kept,
    test_the_pins_are_in_order,
    test_what_is_left_out_is_in_other_nets,
    test_what_reads_a_clock_is_kept_too,
)

__all__ = [
    "pytest_generate_tests",
    "test_the_contract_is_kept",
    "test_the_pins_are_in_order",
    "test_what_is_left_out_is_in_other_nets",
    "test_what_reads_a_clock_is_kept_too",
]
BACKENDS = FIRST
