"""How a number, a table and a record's sentence are said; knows nothing of studies."""
