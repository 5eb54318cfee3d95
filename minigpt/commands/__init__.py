"""One module per subcommand of `python -m minigpt`: `EXAMPLES`, `add_arguments(parser)`, `run(args) -> int`."""
