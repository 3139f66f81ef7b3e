"""Draws the components of a gradient: see tf_relax/commands/components.py."""

from tf_relax.commands.components import main

if __name__ == "__main__":
    main()
