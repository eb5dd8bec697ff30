"""Experiment designs made of tasks."""
