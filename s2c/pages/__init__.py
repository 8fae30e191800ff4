"""Documents of plain values to self-contained HTML pages."""
