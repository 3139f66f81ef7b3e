"""Trains policies: see tf_relax/commands/train_rl.py."""

from tf_relax.commands.train_rl import main

if __name__ == "__main__":
    main()
