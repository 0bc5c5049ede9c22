"""`python -m edgecnn`."""

from edgecnn.cli import main

if __name__ == "__main__":
    main()
