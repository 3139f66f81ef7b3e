"""Writes README's tables: see tf_relax/commands/tables.py."""

from tf_relax.commands.tables import main

if __name__ == "__main__":
    main()
