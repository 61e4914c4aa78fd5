"""The command line: parse, call one action, render its result."""
