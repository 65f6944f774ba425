"""Drafting: which fields a bridge's package has, from which inputs, by which rule. One module per part."""
