"""How steady a compiled net runs, beside other runtimes: sessions, processes, statistics, the report."""
