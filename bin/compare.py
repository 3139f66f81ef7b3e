"""Compares estimators: see tf_relax/commands/compare.py."""

from tf_relax.commands.compare import main

if __name__ == "__main__":
    main()
