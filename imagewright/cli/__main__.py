"""``python -m imagewright.cli.app``."""

from imagewright.cli.app import main

if __name__ == "__main__":
    main()
