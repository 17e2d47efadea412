"""The contract, kept by all other backends."""

from conformance_tests import (
    FIRST,
    pytest_generate_tests,
    test_the_contract_is_kept,
    test_the_pins_are_in_order,
    test_what_reads_a_clock_is_kept_too,
)

from harness import registry

__all__ = [
    "pytest_generate_tests",
    "test_the_contract_is_kept",
    "test_the_pins_are_in_order",
    "test_what_reads_a_clock_is_kept_too",
]
BACKENDS = tuple(name for name in registry.backend_names() if name not in FIRST)
