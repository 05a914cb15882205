"""``python -m cosmith``: the command line."""

from cosmith.cli import main

if __name__ == "__main__":
    main()
