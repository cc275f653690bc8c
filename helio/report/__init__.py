"""Plots and tables for the eye, from the numbers of `evaluate` and `analyse`.

In: their records. Out: figures in files, and tables for the terminal. Nothing is computed here that another folder
might need; nothing below imports this folder.
"""
