"""Runs the paper's toy: see tf_relax/commands/toy.py."""

from tf_relax.commands.toy import main

if __name__ == "__main__":
    main()
