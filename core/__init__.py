"""Attention, models, training and data: knows no screen."""
