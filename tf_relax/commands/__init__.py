"""The programs: one module each, whose `main` is a console script.

The scripts of bin/ call the same functions from a checkout.
"""
