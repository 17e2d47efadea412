"""A report as bytes: terminal, Markdown, LaTeX, tables for programs, the page, the served pages."""
