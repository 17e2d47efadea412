"""A record becomes a row of the tidy frame: columns, their derivation, and reading a whole study."""
