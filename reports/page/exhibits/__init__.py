"""The pictures of the page, one file each, with the table behind them."""
