"""Draws the paper's figures: see tf_relax/commands/figures.py."""

from tf_relax.commands.figures import main

if __name__ == "__main__":
    main()
