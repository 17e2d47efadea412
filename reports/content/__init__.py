"""What a report says, in one order for all formats."""
