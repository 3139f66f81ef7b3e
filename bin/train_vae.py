"""Trains a discrete VAE: see tf_relax/commands/train_vae.py."""

from tf_relax.commands.train_vae import main

if __name__ == "__main__":
    main()
