"""Objectives of pre-training by name, one module each, loaded when one is used."""

OBJECTIVES = {"supervised": "kinefract.objectives.supervised"}
